/* The families of models that are known: how each one's config.json is read into the one
 * struct architecture, and (tensor_naming.h) what its tensors are called. */
#ifndef TOKENMARK_MODEL_FAMILY_H
#define TOKENMARK_MODEL_FAMILY_H

#include <stddef.h>

#include "model/architecture.h"
#include "model/config_reader.h"

struct tensor_naming;

struct family {
    const char *name; /* model_type in config.json */
    /* Fills what differs from architecture_from_config's common defaults. */
    void (*read)(struct config_reader *reader, struct architecture *architecture);
    const struct tensor_naming *naming;
};
extern const struct family families[];
extern const size_t family_count;

const struct family *family_find(const char *name);

void family_read_gpt2(struct config_reader *reader, struct architecture *architecture);
void family_read_gpt_neo(struct config_reader *reader, struct architecture *architecture);
void family_read_gptj(struct config_reader *reader, struct architecture *architecture);
void family_read_gpt_neox(struct config_reader *reader, struct architecture *architecture);
void family_read_opt(struct config_reader *reader, struct architecture *architecture);
void family_read_bloom(struct config_reader *reader, struct architecture *architecture);
void family_read_falcon(struct config_reader *reader, struct architecture *architecture);
void family_read_phi(struct config_reader *reader, struct architecture *architecture);

void family_read_llama(struct config_reader *reader, struct architecture *architecture);
void family_read_mistral(struct config_reader *reader, struct architecture *architecture);
void family_read_mixtral(struct config_reader *reader, struct architecture *architecture);
void family_read_qwen2(struct config_reader *reader, struct architecture *architecture);
void family_read_qwen3(struct config_reader *reader, struct architecture *architecture);
void family_read_qwen3_moe(struct config_reader *reader, struct architecture *architecture);
void family_read_phi3(struct config_reader *reader, struct architecture *architecture);
void family_read_gemma(struct config_reader *reader, struct architecture *architecture);
void family_read_gemma2(struct config_reader *reader, struct architecture *architecture);
void family_read_stablelm(struct config_reader *reader, struct architecture *architecture);
void family_read_olmo(struct config_reader *reader, struct architecture *architecture);
void family_read_olmo2(struct config_reader *reader, struct architecture *architecture);
void family_read_granite(struct config_reader *reader, struct architecture *architecture);

/* Reads shared by the families. */

/* "gelu_new" and its like under one of `keys`. */
void family_read_activation(struct config_reader *reader, struct architecture *architecture,
                            const char *keys, const char *missing);

/* `head_dim` if it is there, else hidden_size / head_count, which must divide. */
void family_read_head_dim(struct config_reader *reader, struct architecture *architecture);

/* RoPE from rope_parameters (transformers 5), or rope_theta, rope_scaling and a partial factor
 * at top level (before); `partial` is the family's share of a head that turns. */
void family_read_rope(struct config_reader *reader, struct architecture *architecture,
                      double default_theta, double partial);

/* The window of every layer whose `layer_types` entry is "sliding_attention"; where the list is
 * missing, of those for which `slides` says so. */
void family_read_windows(struct config_reader *reader, struct architecture *architecture,
                         int64_t window, bool (*slides)(int64_t layer, int64_t context),
                         int64_t context);

#endif
