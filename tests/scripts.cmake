# Tests that are scripts: name, interpreter and file. A missing interpreter skips them.
find_program(PYTHON3 python3)

# The results files as Python's csv and json modules read them.
if(PYTHON3)
  add_executable(write_results ${CMAKE_CURRENT_SOURCE_DIR}/cli/write_results.c)
  target_link_libraries(write_results PRIVATE tokenmark_results)
  add_test(NAME csv_roundtrip COMMAND ${PYTHON3} ${CMAKE_CURRENT_SOURCE_DIR}/cli/csv_roundtrip.py
           $<TARGET_FILE:write_results>)
endif()

# Downloads, from a hub on the loopback that has every fault.
if(PYTHON3 AND CURL_FOUND)
  add_test(NAME hub COMMAND ${PYTHON3} ${CMAKE_CURRENT_SOURCE_DIR}/hub/hub_test.py
           $<TARGET_FILE:tokenmark> ${CMAKE_CURRENT_SOURCE_DIR}/golden)
endif()

# CUDA kernels take the registers and the memory that they are granted, on every architecture.
if(PYTHON3)
  add_test(NAME kernel_resources_tool
           COMMAND ${PYTHON3} ${CMAKE_CURRENT_SOURCE_DIR}/cuda/kernel_resources_test.py)
  add_test(NAME kernel_resources
           COMMAND ${PYTHON3} ${PROJECT_SOURCE_DIR}/tools/kernel_resources.py ${PROJECT_BINARY_DIR})
  set_tests_properties(kernel_resources PROPERTIES SKIP_RETURN_CODE 77)
endif()

# The comparison on a GPU, with the emulated one and a stub in place of the peer.
if(PYTHON3 AND TARGET tokenmark_cudaemu)
  add_test(NAME gpu_peers COMMAND ${PYTHON3} ${CMAKE_CURRENT_SOURCE_DIR}/bench/gpu_peers_test.py
           $<TARGET_FILE:tokenmark> emu)
endif()
