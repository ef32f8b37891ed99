/* Sizes of packed weights and prepared activations; the layout is told in linear_internal.h. */
#include "kernels/grouped.h"
#include "kernels/linear_internal.h"

static size_t round_to_line(size_t bytes)
{
    return (bytes + LINEAR_LINE - 1) / LINEAR_LINE * LINEAR_LINE;
}

size_t kernel_panel_bytes(enum kernel_type type, int64_t inputs)
{
    if (kernel_type_is_grouped(type))
        return (size_t)grouped_offset(grouped_format(type), grouped_count(inputs));
    size_t bytes = (size_t)(linear_steps(type, inputs) * linear_step_bytes(type));
    if (type == KERNEL_I8)
        bytes += KERNEL_PANEL * (sizeof(float) + sizeof(int32_t));
    return bytes;
}

size_t kernel_packed_bytes(enum kernel_type type, int64_t outputs, int64_t inputs)
{
    size_t panels = (size_t)((outputs + KERNEL_PANEL - 1) / KERNEL_PANEL);
    return panels * kernel_panel_bytes(type, inputs);
}

/* An odd number of lines a row: rows of a power of two would all fall into one cache set. */
size_t kernel_prepared_bytes(enum kernel_type type, int64_t rows, int64_t inputs)
{
    if (type == KERNEL_F32)
        return (size_t)rows * (size_t)inputs * sizeof(float);
    size_t used = kernel_type_is_grouped(type)
                      ? (size_t)grouped_count(inputs) * sizeof(struct grouped_x)
                      : (size_t)(linear_row_header(type) +
                                 linear_step_x_bytes(type) * linear_steps(type, inputs));
    size_t row = round_to_line(used);
    row |= LINEAR_LINE;
    return (size_t)rows * row;
}
