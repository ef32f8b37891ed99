/* Matrices that stay quantised as they lie in a GGUF file: which kernels' type serves which
 * format, and how rows of several tensors become panels. For cpu_weights.c. */
#ifndef TOKENMARK_ENGINE_CPU_CPU_GROUPED_H
#define TOKENMARK_ENGINE_CPU_CPU_GROUPED_H

#include "engine/cpu/cpu_linear.h"
#include "model/model.h"

/* How a matrix of `model` is packed when nothing shall be rounded: a grouped type for a quantised
 * format, else float32, float16 or bfloat16 as the file has it. */
enum kernel_type grouped_stored_type(const struct model *model, struct weight_id id);

/* The grouped type that holds most of the elements of the model's matrices; KERNEL_F32 where none
 * of them is quantised. */
enum kernel_type grouped_main_type(const struct model *model);

/* GGUF's name of a grouped type, in small letters. */
const char *grouped_type_name(enum kernel_type type);

/* Like cpu_matrix_pack_into, for matrices of one grouped type, one below the other. */
void grouped_pack_into(struct cpu_matrix *matrix, void *memory, float *scratch,
                       struct thread_pool *pool, enum kernel_type type, const struct model *model,
                       const struct weight_id *parts, int part_count);

#endif
