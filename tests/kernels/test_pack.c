/* Packing is a matter of the type, not of the instruction set: every table's panels agree with C's
 * byte by byte, whatever the weights. */
#include "test.h"

#include "base/philox.h"
#include "kernels/kernels.h"

enum { TYPES = KERNEL_Q4_0 + 1, INPUTS_MAX = 300 };

enum content {
    ORDINARY,
    WIDE,   /* of every exponent */
    TIES,   /* that rounding to 16 bits finds halfway, and integers and a half */
    EQUAL,  /* magnitudes: the first of the largest decides */
    SMALL,  /* subnormal in float16 or in float32 */
    BITS,   /* any bits, NaN with all payloads among them */
    FAULTS, /* now and then not finite */
    ZEROS,  /* of both signs */
    CONTENTS
};

static uint32_t random_word(uint64_t stream, uint64_t index)
{
    struct philox_block counter = {{(uint32_t)index, (uint32_t)(index >> 32), 0, 0}};
    return philox4x32(counter, stream).word[0];
}

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float make_value(enum content content, uint32_t word, uint32_t other)
{
    static const float faults[] = {NAN, INFINITY, -INFINITY, 3.4e38F};
    float plain = (float)word * 0x1p-31F - 1.0F;
    switch (content) {
    case WIDE:
        return from_bits((word & 0x807FFFFFU) | (other % 255) << 23);
    case TIES:
        return other % 2 == 0 ? from_bits((word & 0xBFFF0000U) | 0x8000U)
                              : ((float)(word % 255) - 127.0F) * 0.5F;
    case EQUAL:
        return word % 2 == 0 ? 0.375F : -0.375F;
    case SMALL:
        return plain * (other % 3 == 0 ? 0x1p-14F : other % 3 == 1 ? 0x1p-22F : 0x1p-126F);
    case BITS:
        return from_bits(word);
    case FAULTS:
        return other % 97 == 0 ? faults[word % 4] : plain;
    case ZEROS:
        return word % 2 == 0 ? 0.0F : -0.0F;
    case ORDINARY:
    default:
        return plain;
    }
}

static void check_panel(const struct kernels *kernels, enum kernel_type type, enum content content,
                        int64_t count, int64_t inputs)
{
    static float rows[KERNEL_PANEL * INPUTS_MAX];
    uint64_t stream = (uint64_t)(content * 1000 + inputs);
    for (int64_t i = 0; i < count * inputs; i++)
        rows[i] = make_value(content, random_word(stream, (uint64_t)i),
                             random_word(stream + 7777777, (uint64_t)i));
    size_t bytes = kernel_panel_bytes(type, inputs);
    unsigned char *expected = aligned_alloc(64, (bytes + 63) / 64 * 64);
    unsigned char *got = aligned_alloc(64, (bytes + 63) / 64 * 64);
    assert_true(expected != NULL && got != NULL);
    memset(expected, 0x5A, bytes);
    memset(got, 0xA5, bytes);
    kernels_choose("c")->pack_panel(type, rows, count, inputs, expected);
    kernels->pack_panel(type, rows, count, inputs, got);
    for (size_t i = 0; i < bytes; i++)
        if (expected[i] != got[i])
            fail_msg("%s type %d content %d, %lld x %lld: byte %zu is %d, expected %d",
                     kernels->isa, (int)type, (int)content, (long long)count, (long long)inputs, i,
                     got[i], expected[i]);
    free(expected);
    free(got);
}

static void test_sets_agree(void **state)
{
    (void)state;
    static const int64_t inputs[] = {1, 7, 8, 15, 16, 17, 31, 32, 33, 64, 77, 131, 256, INPUTS_MAX};
    static const int64_t counts[] = {1, 17, KERNEL_PANEL};
    for (size_t set = 0; set < kernels_count(); set++) {
        if (!kernels_runnable(set))
            continue;
        const struct kernels *kernels = kernels_choose(kernels_name(set));
        for (int type = 0; type < TYPES; type++)
            for (int content = 0; content < CONTENTS; content++)
                for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++)
                    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++)
                        check_panel(kernels, type, content, counts[c], inputs[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sets_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
