# What `cmake --install` puts where: the libraries, their headers, and how others find them
# (find_package(heed CONFIG), pkg-config). Included at the end of the root CMakeLists.txt.
include(CMakePackageConfigHelpers)

set(heed_package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/heed)
set_target_properties(heed PROPERTIES EXPORT_NAME heed)
install(TARGETS heed EXPORT heedTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/heed/heed.h include/heed/heed.hpp include/heed/cost.hpp include/heed/layout.hpp
  include/heed/rules.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/heed)
if(TARGET heed_io)
  set_target_properties(heed_io PROPERTIES EXPORT_NAME io)
  install(TARGETS heed_io EXPORT heedTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(FILES include/heed/io.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/heed)
endif()
if(TARGET heed_threads)
  set_target_properties(heed_threads PROPERTIES EXPORT_NAME threads)
  install(TARGETS heed_threads EXPORT heedTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(FILES include/heed/threads.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/heed)
endif()
install(EXPORT heedTargets NAMESPACE heed:: DESTINATION ${heed_package_folder})

# The library is static: who links it links what it needs.
set(heed_needs_dnnl OFF)
set(heed_needs_threads OFF)
if(TARGET heed_threads)
  set(heed_needs_threads ON)
endif()
set(heed_pc_libs "")
if(UNIX)  # also where find_library does not look, as in a cross compiler's own folders
  string(APPEND heed_pc_libs " -lm")
endif()
if(TARGET heed_arch_onednn)
  set(heed_needs_dnnl ON)
  string(APPEND heed_pc_libs " -ldnnl -lstdc++")
endif()
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/heedConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/heedConfig.cmake
  INSTALL_DESTINATION ${heed_package_folder} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/heedConfigVersion.cmake
  VERSION ${PROJECT_VERSION} COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/heedConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/heedConfigVersion.cmake
  DESTINATION ${heed_package_folder})

# Paths in heed.pc begin at the file's own place, so that the tree may be moved.
file(RELATIVE_PATH heed_pc_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${CMAKE_CURRENT_LIST_DIR}/heed.pc.in ${CMAKE_CURRENT_BINARY_DIR}/heed.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/heed.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
