/* One Philox block (key: seed; counter: block number, stream) makes four elements, one from
 * each word: the sum of its four bytes, an Irwin-Hall distribution of 1,021 values within 3.45
 * standard deviations. One product in float32 scales it; there is no libm whose last bit could
 * differ. */
#include "model/random_weights.h"

#include "base/philox.h"

/* Bytes are uniform on 0..255: mean of four 510, variance (256^2 - 1) / 3 = 21845. */
static const int sum_mean = 510;
static const double sum_deviation = 147.80054127099806;

uint64_t random_weights_stream(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325U;
    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3U;
    return hash;
}

static inline float element(uint32_t word, float scale)
{
    uint32_t pairs = (word & 0x00ff00ffU) + (word >> 8 & 0x00ff00ffU);
    uint32_t sum = (pairs & 0xffffU) + (pairs >> 16);
    return (float)((int)sum - sum_mean) * scale;
}

static inline struct philox_block block_at(uint64_t seed, uint64_t stream, int64_t index)
{
    uint64_t number = (uint64_t)index;
    struct philox_block counter = {
        {(uint32_t)number, (uint32_t)(number >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)}};
    return philox4x32(counter, seed);
}

void random_weights_normal(uint64_t seed, uint64_t stream, double deviation, int64_t first,
                           int64_t count, float *out)
{
    const float scale = (float)(deviation / sum_deviation);
    int64_t done = 0;
    while (done < count) {
        int64_t index = first + done;
        struct philox_block block = block_at(seed, stream, index / 4);
        if (index % 4 == 0 && count - done >= 4) {
            for (int lane = 0; lane < 4; lane++)
                out[done + lane] = element(block.word[lane], scale);
            done += 4;
        } else {
            out[done++] = element(block.word[index % 4], scale);
        }
    }
}
