/* SHA-256 (FIPS 180-4), fed in pieces: downloads are checked while they arrive. */
#ifndef TOKENMARK_BASE_SHA256_H
#define TOKENMARK_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_HEX_LENGTH = 64 };

struct sha256 {
    uint32_t state[8];
    uint64_t byte_count;
    unsigned char block[64];
};

void sha256_start(struct sha256 *sha);
void sha256_add(struct sha256 *sha, const void *data, size_t bytes);

/* Lower-case hexadecimal digest, terminated; `sha` must be started again to be used again. */
void sha256_finish(struct sha256 *sha, char hex[SHA256_HEX_LENGTH + 1]);

#endif
