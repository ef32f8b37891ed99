/* Version, commit and compiler as the build wrote them down (cmake/commit.cmake). */
#include "cli/version.h"

/* The build writes it into a file of its own at every build. */
extern const char version_commit_text[];

const char *version_number(void)
{
    return TOKENMARK_VERSION;
}

const char *version_commit(void)
{
    return version_commit_text;
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
