# One static library per room of src/; ARCHITECTURE.md says which may use which.
function(tokenmark_room room)
  cmake_parse_arguments(ROOM "" "" "SOURCES;USES;DEFINES" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${ROOM_SOURCES})
  if(sources)
    add_library(tokenmark_${room} STATIC ${sources})
    set(scope PUBLIC)
  else()
    add_library(tokenmark_${room} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(tokenmark_${room} ${scope} ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(tokenmark_${room} ${scope} ${ROOM_USES})
  target_compile_definitions(tokenmark_${room} ${scope} ${ROOM_DEFINES})
endfunction()

include(cmake/kernel_sets.cmake)
string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
string(STRIP "${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_${build_type}}" build_flags)

# Libraries the program can do without.
foreach(library CURL FONTCONFIG HWLOC)
  if(${library}_FOUND)
    set(${library}_USES PkgConfig::${library})
    set(${library}_DEFINES TOKENMARK_HAVE_${library})
  endif()
endforeach()

# Without libcurl the hub is told apart in hub.c; its transfers are left out.
if(NOT CURL_FOUND)
  set_source_files_properties(src/model/hub_http.c src/model/hub_download.c
                              PROPERTIES HEADER_FILE_ONLY ON)
endif()

tokenmark_room(base SOURCES src/base/*.c USES PkgConfig::JANSSON Threads::Threads ${HWLOC_USES}
               DEFINES ${HWLOC_DEFINES})
tokenmark_room(kernels SOURCES src/kernels/*.c USES m)
tokenmark_room(stats SOURCES src/stats/*.c USES m)
tokenmark_room(results SOURCES src/results/*.c USES tokenmark_stats tokenmark_base)
tokenmark_room(model SOURCES src/model/*.c USES tokenmark_base m ${CURL_USES}
               DEFINES ${CURL_DEFINES})
tokenmark_room(config SOURCES src/config/*.c USES tokenmark_base m)
tokenmark_room(engine SOURCES src/engine/*.c src/engine/cpu/*.c src/engine/fake/*.c
               USES tokenmark_model tokenmark_kernels tokenmark_base ${CMAKE_DL_LIBS})
tokenmark_room(bench SOURCES src/bench/*.c
               USES tokenmark_engine tokenmark_config tokenmark_results)
tokenmark_room(report SOURCES src/report/*.c USES tokenmark_results ${FONTCONFIG_USES}
               DEFINES ${FONTCONFIG_DEFINES})
tokenmark_room(cli SOURCES src/cli/*.c USES tokenmark_bench tokenmark_report)

# Plugins hold copies of what the CUDA engine uses of the program.
set_target_properties(tokenmark_base tokenmark_model PROPERTIES POSITION_INDEPENDENT_CODE ON)

# The commit is looked up at every build, so that a results file never names an older one.
set(commit_source ${PROJECT_BINARY_DIR}/generated/commit.c)
add_custom_target(tokenmark_commit
  COMMAND ${CMAKE_COMMAND} -DGIT=${GIT_EXECUTABLE} -DSOURCE=${PROJECT_SOURCE_DIR}
          -DOUTPUT=${commit_source} -P ${PROJECT_SOURCE_DIR}/cmake/commit.cmake
  BYPRODUCTS ${commit_source} VERBATIM)
set_source_files_properties(${commit_source} PROPERTIES GENERATED TRUE)
target_sources(tokenmark_cli PRIVATE ${commit_source})
add_dependencies(tokenmark_cli tokenmark_commit)
set_source_files_properties(src/cli/version.c PROPERTIES
  COMPILE_DEFINITIONS "TOKENMARK_VERSION=\"${PROJECT_VERSION}\"")
set_source_files_properties(src/cli/surroundings.c PROPERTIES
  COMPILE_DEFINITIONS "TOKENMARK_BUILD_TYPE=\"${CMAKE_BUILD_TYPE}\";TOKENMARK_BUILD_FLAGS=\"${build_flags}\"")

add_executable(tokenmark src/main.c)
target_link_libraries(tokenmark PRIVATE tokenmark_cli)
install(TARGETS tokenmark RUNTIME DESTINATION bin)

# Shell completion is printed by the program from its own tables.
set(completion_dir ${PROJECT_BINARY_DIR}/completion)
add_custom_command(OUTPUT ${completion_dir}/tokenmark ${completion_dir}/_tokenmark
  COMMAND ${CMAKE_COMMAND} -E make_directory ${completion_dir}
  COMMAND tokenmark --completion bash > ${completion_dir}/tokenmark
  COMMAND tokenmark --completion zsh > ${completion_dir}/_tokenmark
  DEPENDS tokenmark VERBATIM)
add_custom_target(tokenmark_completion ALL
  DEPENDS ${completion_dir}/tokenmark ${completion_dir}/_tokenmark)
install(FILES ${completion_dir}/tokenmark DESTINATION share/bash-completion/completions)
install(FILES ${completion_dir}/_tokenmark DESTINATION share/zsh/site-functions)
