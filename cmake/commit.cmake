# Writes the commit that is being built into HEADER, only when it has changed.
# Run at build time with -DGIT, -DSOURCE and -DHEADER.
set(commit "unknown")
if(GIT AND EXISTS "${SOURCE}/.git")
  execute_process(COMMAND ${GIT} describe --always --dirty --abbrev=12 --exclude=*
                  WORKING_DIRECTORY ${SOURCE} OUTPUT_VARIABLE described ERROR_QUIET
                  RESULT_VARIABLE result OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(result EQUAL 0)
    set(commit "${described}")
  endif()
endif()
set(content "#define TOKENMARK_COMMIT \"${commit}\"\n")
set(old "")
if(EXISTS "${HEADER}")
  file(READ "${HEADER}" old)
endif()
if(NOT old STREQUAL content)
  file(WRITE "${HEADER}" "${content}")
endif()
