# tokenmark_cuda.so: the CUDA engine, opened by the program at run time. The CUDA runtime is linked
# statically; cuBLASLt is needed by the plugin alone.
if(NOT TOKENMARK_HAVE_CUDA)
  return()
endif()

file(GLOB cuda_sources CONFIGURE_DEPENDS src/engine/cuda/*.c src/engine/cuda/*.cu)
add_library(tokenmark_cuda MODULE ${cuda_sources})
set_target_properties(tokenmark_cuda PROPERTIES
  PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR} CUDA_RUNTIME_LIBRARY Static
  C_VISIBILITY_PRESET hidden CUDA_VISIBILITY_PRESET hidden)
target_include_directories(tokenmark_cuda PRIVATE src)
target_include_directories(tokenmark_cuda SYSTEM PRIVATE
  ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
target_compile_options(tokenmark_cuda PRIVATE
  "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-Werror all-warnings -Xcompiler -Wall,-Wextra -Xptxas -v,-Werror,-warn-spills>")
# What ptxas says of each kernel is kept for tools/kernel_resources.py.
set(kernel_launcher ${PROJECT_SOURCE_DIR}/cmake/keep_kernel_log.sh ${CMAKE_CUDA_COMPILER_LAUNCHER})
set_target_properties(tokenmark_cuda PROPERTIES CUDA_COMPILER_LAUNCHER "${kernel_launcher}")
target_link_libraries(tokenmark_cuda PRIVATE tokenmark_model tokenmark_base ${TOKENMARK_CUBLASLT})
target_link_options(tokenmark_cuda PRIVATE -Wl,--exclude-libs,ALL)
# Sampling is defined without contraction: see engine/sampler.h.
set_source_files_properties(src/engine/cuda/sample.cu PROPERTIES COMPILE_OPTIONS -fmad=false)
install(TARGETS tokenmark_cuda LIBRARY DESTINATION lib/tokenmark)
