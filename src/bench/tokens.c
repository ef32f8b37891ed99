/* Makes the prompts of tokens.h. Rows differ by construction, not by luck: the first tokens of
 * row r (one, unless the batch is larger than the vocabulary) are the digits of a permutation of
 * r; all others are independent draws. Both come from Philox counters, so no order matters. */
#include "bench/tokens.h"

#include "base/philox.h"

/* Counter word 3 keeps these draws apart from the sampler's (0) under the same seed. */
enum { DRAW_TOKENS = 0x70, DRAW_PERMUTATION = 0x71 };

static uint64_t greatest_common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* r -> (offset + r * stride) mod modulus is one to one when stride and modulus share no factor. */
struct permutation {
    uint64_t modulus; /* vocabulary_size ^ digits, at least batch */
    int64_t digits;   /* leading tokens that hold the permuted row number */
    uint64_t offset;
    uint64_t stride;
};

static int make_permutation(struct permutation *permutation, int64_t batch, int64_t length,
                            int64_t vocabulary_size, uint64_t seed, struct error *error)
{
    uint64_t modulus = (uint64_t)vocabulary_size;
    int64_t digits = 1;
    while (modulus < (uint64_t)batch && digits < length && vocabulary_size > 1) {
        if (__builtin_mul_overflow(modulus, (uint64_t)vocabulary_size, &modulus) ||
            modulus > UINT64_MAX / 4)
            return error_set(error, ERROR_INPUT, "a batch of %lld rows is too large",
                             (long long)batch);
        digits++;
    }
    if (modulus < (uint64_t)batch)
        return error_set(error, ERROR_INPUT,
                         "a vocabulary of %lld ids gives only %llu different rows of length %lld, "
                         "a batch of %lld needs more; take a smaller batch or a longer input",
                         (long long)vocabulary_size, (unsigned long long)modulus, (long long)length,
                         (long long)batch);
    struct philox_block counter = {{0, 0, 0, DRAW_PERMUTATION}};
    struct philox_block draw = philox4x32(counter, seed);
    uint64_t offset = (uint64_t)draw.word[0] << 32 | draw.word[1];
    uint64_t stride = (uint64_t)draw.word[2] << 32 | draw.word[3];
    stride = stride % modulus;
    while (greatest_common_divisor(stride, modulus) != 1)
        stride++;
    *permutation = (struct permutation){modulus, digits, offset % modulus, stride % modulus};
    return 0;
}

/* A 32-bit word scaled to [0, vocabulary_size): no division, the same everywhere. */
static int32_t scale_to_vocabulary(uint32_t word, int64_t vocabulary_size)
{
    return (int32_t)((uint64_t)word * (uint64_t)vocabulary_size >> 32);
}

static void draw_row(int32_t *ids, int64_t row, int64_t length, int64_t vocabulary_size,
                     uint64_t seed)
{
    struct philox_block draw = {{0}};
    for (int64_t position = 0; position < length; position++) {
        if (position % 4 == 0) {
            uint64_t block = (uint64_t)position / 4;
            struct philox_block counter = {{(uint32_t)row, (uint32_t)block,
                                            (uint32_t)((uint64_t)row >> 32 << 16 | block >> 32),
                                            DRAW_TOKENS}};
            draw = philox4x32(counter, seed);
        }
        ids[position] = scale_to_vocabulary(draw.word[position % 4], vocabulary_size);
    }
}

int tokens_fill(int32_t *ids, int64_t batch, int64_t length, int64_t vocabulary_size, uint64_t seed,
                struct error *error)
{
    if (batch < 1 || length < 1 || vocabulary_size < 1 || vocabulary_size > INT32_MAX)
        return error_set(error, ERROR_INPUT,
                         "cannot make %lld rows of %lld ids from a vocabulary of %lld",
                         (long long)batch, (long long)length, (long long)vocabulary_size);
    struct permutation permutation = {.modulus = 1};
    int code = make_permutation(&permutation, batch, length, vocabulary_size, seed, error);
    if (code != 0)
        return code;
    uint64_t permuted = permutation.offset;
    for (int64_t row = 0; row < batch; row++) {
        int32_t *row_ids = ids + row * length;
        draw_row(row_ids, row, length, vocabulary_size, seed);
        uint64_t rest = permuted;
        for (int64_t digit = 0; digit < permutation.digits; digit++) {
            row_ids[digit] = (int32_t)(rest % (uint64_t)vocabulary_size);
            rest /= (uint64_t)vocabulary_size;
        }
        permuted = (permuted + permutation.stride) % permutation.modulus;
    }
    return 0;
}
