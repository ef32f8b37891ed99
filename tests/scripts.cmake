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
