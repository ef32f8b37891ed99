# Looks for nvcc, which the CUDA engine's plugin needs and nothing else does. TOKENMARK_CUDA: AUTO
# (where nvcc is found), ON or OFF. CUDA is enabled here, before any target exists.
set(TOKENMARK_CUDA AUTO CACHE STRING "Build the CUDA engine: AUTO, ON or OFF")
set(TOKENMARK_HAVE_CUDA FALSE)
if(TOKENMARK_CUDA AND NOT TOKENMARK_SANITIZE)
  find_program(TOKENMARK_NVCC nvcc
    HINTS ENV CUDA_HOME ENV CUDA_PATH /usr/local/cuda /opt/cuda PATH_SUFFIXES bin)
  if(TOKENMARK_NVCC)
    set(TOKENMARK_HAVE_CUDA TRUE)
  elseif(TOKENMARK_CUDA STREQUAL "ON")
    message(FATAL_ERROR "TOKENMARK_CUDA=ON, but there is no nvcc: put it into PATH or set CUDA_HOME")
  else()
    message(STATUS "No nvcc: the CUDA engine is left out")
  endif()
endif()

if(TOKENMARK_HAVE_CUDA)
  # Those of the wanted architectures that this nvcc knows: Ampere, Hopper and two Blackwells.
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    execute_process(COMMAND ${TOKENMARK_NVCC} --list-gpu-code OUTPUT_VARIABLE offered ERROR_QUIET)
    foreach(architecture 80 90 100 120)
      if(offered MATCHES "sm_${architecture}[^0-9]")
        list(APPEND CMAKE_CUDA_ARCHITECTURES ${architecture})
      endif()
    endforeach()
  endif()
  set(CMAKE_CUDA_COMPILER ${TOKENMARK_NVCC} CACHE FILEPATH "nvcc")
  set(CMAKE_CUDA_STANDARD 17)
  if(CMAKE_C_COMPILER_LAUNCHER AND NOT DEFINED CMAKE_CUDA_COMPILER_LAUNCHER)
    set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_C_COMPILER_LAUNCHER})
  endif()
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
  enable_language(CUDA)
  find_library(TOKENMARK_CUBLASLT cublasLt
    HINTS ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES}/../lib64
          ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES}/../lib
          ${CMAKE_CUDA_IMPLICIT_LINK_DIRECTORIES})
  if(NOT TOKENMARK_CUBLASLT)
    message(STATUS "nvcc without cuBLASLt: the CUDA engine is left out")
    set(TOKENMARK_HAVE_CUDA FALSE)
  endif()
endif()
