/* RoPE's facts from config.json, in the form of transformers 5 (rope_parameters) and in the
 * forms before it. What the facts mean is rope.c. */
#include <math.h>
#include <string.h>

#include "model/family.h"

static void read_llama3(struct config_reader *reader, struct rope_facts *rope)
{
    rope->low_frequency_factor = config_real(reader, "low_freq_factor", 1);
    rope->high_frequency_factor = config_real(reader, "high_freq_factor", 4);
    if (!(rope->low_frequency_factor > 0) ||
        !(rope->high_frequency_factor > rope->low_frequency_factor))
        config_refuse(reader, "high_freq_factor", "it must be above low_freq_factor, that above 0");
}

/* What YaRN multiplies cos and sin by for a stretch of `scale`. */
static double yarn_magnitude(double scale, double weight)
{
    return scale <= 1 ? 1 : 0.1 * weight * log(scale) + 1;
}

static void read_yarn(struct config_reader *reader, struct rope_facts *rope)
{
    double magnitude = config_real(reader, "mscale", 0);
    double magnitude_all = config_real(reader, "mscale_all_dim", 0);
    double own =
        magnitude != 0 && magnitude_all != 0
            ? yarn_magnitude(rope->factor, magnitude) / yarn_magnitude(rope->factor, magnitude_all)
            : yarn_magnitude(rope->factor, 1);
    rope->attention_factor = config_real(reader, "attention_factor", own);
    rope->beta_fast = config_real(reader, "beta_fast", 32);
    rope->beta_slow = config_real(reader, "beta_slow", 1);
    rope->yarn_truncate = config_boolean(reader, "truncate", true);
    if (!(rope->beta_fast > 0) || !(rope->beta_slow > 0))
        config_refuse(reader, "beta_fast", "beta_fast and beta_slow must be above 0");
}

static void read_longrope(struct config_reader *reader, struct rope_facts *rope)
{
    double own =
        rope->factor <= 1 ? 1 : sqrt(1 + log(rope->factor) / log((double)rope->original_positions));
    rope->attention_factor = config_real(reader, "attention_factor", own);
    if (rope->rotary_dim > 2 * ROPE_PAIRS_MAX)
        return; /* architecture.c refuses it with its own words */
    config_reals(reader, "long_factor", rope->long_factors, rope->rotary_dim / 2);
    config_reals(reader, "short_factor", rope->short_factors, rope->rotary_dim / 2);
    for (int64_t i = 0; reader->status == 0 && i < rope->rotary_dim / 2; i++)
        if (!(rope->long_factors[i] > 0) || !(rope->short_factors[i] > 0))
            config_refuse(reader, "long_factor", "all factors must be above 0");
}

static enum rope_scaling read_kind(struct config_reader *reader, const char *family)
{
    static const struct {
        const char *name;
        enum rope_scaling kind;
    } kinds[] = {
        {"default", ROPE_SCALING_NONE},    {"linear", ROPE_SCALING_LINEAR},
        {"dynamic", ROPE_SCALING_DYNAMIC}, {"llama3", ROPE_SCALING_LLAMA3},
        {"yarn", ROPE_SCALING_YARN},       {"longrope", ROPE_SCALING_LONGROPE},
        {"su", ROPE_SCALING_LONGROPE},
    };
    const char *name = config_string(reader, "rope_type|type", "default");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].name, name) != 0)
            continue;
        /* Early files of Phi-3 call LongRoPE "su" or "yarn". */
        bool phi3_yarn = kinds[i].kind == ROPE_SCALING_YARN && strcmp(family, "phi3") == 0;
        return phi3_yarn ? ROPE_SCALING_LONGROPE : kinds[i].kind;
    }
    config_refuse(reader, config_has(reader, "rope_type") ? "rope_type" : "type",
                  "this kind of RoPE is not supported (default, linear, dynamic, llama3, yarn, "
                  "longrope are)");
    return ROPE_SCALING_NONE;
}

/* Positions of pre-training. A key at top level beats the one beside the kind; Phi-3 has 4096
 * where neither is there. */
static int64_t read_original_positions(struct config_reader *top, struct config_reader *inner,
                                       const struct architecture *architecture)
{
    static const char key[] = "original_max_position_embeddings";
    if (architecture->rope.scaling == ROPE_SCALING_DYNAMIC)
        return architecture->position_limit;
    bool phi3 = strcmp(architecture->family, "phi3") == 0;
    int64_t beside =
        config_integer(inner, key, phi3 ? 4096 : architecture->position_limit, 2, (1 << 24) - 1);
    return config_integer(top, key, beside, 2, (1 << 24) - 1);
}

static void read_scaling(struct config_reader *reader, struct config_reader *inner,
                         struct architecture *architecture)
{
    struct rope_facts *rope = &architecture->rope;
    rope->scaling = read_kind(inner, architecture->family);
    if (rope->scaling == ROPE_SCALING_NONE)
        return;
    rope->original_positions = read_original_positions(reader, inner, architecture);
    bool stretches = rope->scaling == ROPE_SCALING_YARN || rope->scaling == ROPE_SCALING_LONGROPE;
    double ratio = (double)architecture->position_limit / (double)rope->original_positions;
    rope->factor = config_real(inner, "factor", stretches ? ratio : 0);
    if (!(rope->factor > 0))
        config_refuse(inner, "factor", "a factor above 0 is needed");
    if (rope->scaling == ROPE_SCALING_DYNAMIC && rope->rotary_dim <= 2)
        config_refuse(inner, "rope_type", "dynamic RoPE needs more than two turning dimensions");
    if (inner->status != 0)
        return;
    if (rope->scaling == ROPE_SCALING_LLAMA3)
        read_llama3(inner, rope);
    if (rope->scaling == ROPE_SCALING_YARN)
        read_yarn(inner, rope);
    if (rope->scaling == ROPE_SCALING_LONGROPE)
        read_longrope(inner, rope);
}

void family_read_rope(struct config_reader *reader, struct architecture *architecture,
                      double default_theta, double partial)
{
    struct rope_facts *rope = &architecture->rope;
    architecture->position = POSITION_ROPE;
    struct config_reader inner = *reader;
    bool nested = config_descend(reader, "rope_scaling", &inner) ||
                  config_descend(reader, "rope_parameters", &inner);
    rope->theta = config_real(reader, "rope_theta|rotary_emb_base", default_theta);
    partial = config_real(reader, "partial_rotary_factor|rotary_pct|rope_pct", partial);
    if (nested) {
        if (config_has(&inner, "full_attention") || config_has(&inner, "sliding_attention"))
            config_refuse(&inner, "full_attention",
                          "RoPE of its own for a kind of layers is not supported in this family");
        rope->theta = config_real(&inner, "rope_theta", rope->theta);
        partial = config_real(&inner, "partial_rotary_factor", partial);
    }
    if (!(partial > 0 && partial <= 1)) {
        config_refuse(nested ? &inner : reader, "partial_rotary_factor",
                      "it must be above 0 and at most 1");
        partial = 1;
    }
    rope->rotary_dim = (int64_t)((double)architecture->head_dim * partial);
    if (nested)
        read_scaling(reader, &inner, architecture);
    if (reader->status == 0)
        reader->status = inner.status;
}
