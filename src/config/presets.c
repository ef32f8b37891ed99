/* The configurations that come with the program: the defaults and the presets. A list is
 * {count, {values}}. */
#include <string.h>

#include "config/config.h"

const struct config_preset config_presets[] = {
    {
        .name = "quick_test",
        .purpose = "a quick check",
        .config =
            {
                .batch_sizes = {2, {1, 2}},
                .input_lengths = {2, {32, 64}},
                .output_length = 20,
                .num_runs = 1,
                .temperature = 1.0,
                .top_p = 0.9,
                .max_batch_input_product = 131072,
                .device = "auto",
            },
    },
    {
        .name = "small_scale",
        .purpose = "small tests",
        .config =
            {
                .batch_sizes = {2, {1, 2}},
                .input_lengths = {3, {32, 64, 128}},
                .output_length = 30,
                .num_runs = 2,
                .temperature = 1.0,
                .top_p = 0.9,
                .max_batch_input_product = 131072,
                .device = "auto",
            },
    },
    {
        .name = "medium_scale",
        .purpose = "the standard test",
        .config =
            {
                .batch_sizes = {6, {1, 2, 4, 8, 16, 32}},
                .input_lengths = {7, {32, 64, 128, 256, 512, 1024, 2048}},
                .output_length = 50,
                .num_runs = 3,
                .temperature = 1.0,
                .top_p = 0.9,
                .max_batch_input_product = 131072,
                .device = "auto",
            },
    },
    {
        .name = "large_scale",
        .purpose = "large machines",
        .config =
            {
                .batch_sizes = {9, {1, 2, 4, 8, 16, 32, 64, 128, 256}},
                .input_lengths = {11,
                                  {64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536}},
                .output_length = 100,
                .num_runs = 5,
                .temperature = 1.0,
                .top_p = 0.9,
                .max_batch_input_product = 131072,
                .device = "auto",
            },
    },
    {
        .name = "batch_size_study",
        .purpose = "scaling in the batch",
        .config =
            {
                .batch_sizes = {9, {1, 2, 4, 8, 16, 32, 64, 128, 256}},
                .input_lengths = {1, {256}},
                .output_length = 50,
                .num_runs = 5,
                .temperature = 1.0,
                .top_p = 0.9,
                .max_batch_input_product = 131072,
                .device = "auto",
            },
    },
    {
        .name = "input_length_study",
        .purpose = "scaling in the length",
        .config =
            {
                .batch_sizes = {1, {1}},
                .input_lengths = {13,
                                  {16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768,
                                   65536}},
                .output_length = 50,
                .num_runs = 5,
                .temperature = 1.0,
                .top_p = 0.9,
                .max_batch_input_product = 131072,
                .device = "auto",
            },
    },
};
const size_t config_preset_count = sizeof config_presets / sizeof config_presets[0];

void config_defaults(struct config *config)
{
    *config = (struct config){
        .batch_sizes = {5, {1, 2, 4, 8, 16}},
        .input_lengths = {6, {32, 64, 128, 256, 512, 1024}},
        .output_length = 50,
        .num_runs = 3,
        .temperature = 1.0,
        .top_p = 0.9,
        .max_batch_input_product = 131072,
        .device = "auto",
    };
}

const struct config_preset *config_preset_find(const char *name)
{
    for (size_t i = 0; i < config_preset_count; i++) {
        if (strcmp(config_presets[i].name, name) == 0)
            return &config_presets[i];
    }
    return NULL;
}
