/* Version, commit and compiler as the build wrote them down (cmake/commit.cmake). */
#include "cli/version.h"

#if __has_include("tokenmark_commit.h")
#include "tokenmark_commit.h"
#endif
#ifndef TOKENMARK_COMMIT
#define TOKENMARK_COMMIT "unknown"
#endif
#ifndef TOKENMARK_VERSION
#define TOKENMARK_VERSION "unknown"
#endif

const char *version_number(void)
{
    return TOKENMARK_VERSION;
}

const char *version_commit(void)
{
    return TOKENMARK_COMMIT;
}

const char *version_compiler(void)
{
#ifdef __clang__
    return __VERSION__;
#else
    return "gcc " __VERSION__;
#endif
}

json_t *version_facts(void)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "name", "tokenmark", "version", version_number(),
                     "commit", version_commit(), "compiler", version_compiler());
}
