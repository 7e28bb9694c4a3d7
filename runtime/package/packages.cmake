# The archive of a release, the same bytes from the same commit, and packages for Debian.
if(PROJECT_IS_TOP_LEVEL)
  set(release resnetcc-${PROJECT_VERSION})
  add_custom_target(dist COMMAND git -C ${CMAKE_CURRENT_SOURCE_DIR} archive --prefix=${release}/ HEAD | gzip -9n > ${release}.tar.gz
    WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR} VERBATIM)
endif()

# `cpack` in a build for /usr makes the packages of Debian: resnetcc (the compiler), libresnetcc-dev (what programs are built
# with) and libresnetcc-rt1 (the shared runtime, for those who ask for it).
if(NOT CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  return()
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL compiler runtime shared)
set(CPACK_PACKAGE_CONTACT "the resnetcc authors <resnetcc@resnetcc.invalid>")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS OFF)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(version ${PROJECT_VERSION})
set(CPACK_DEBIAN_COMPILER_PACKAGE_NAME resnetcc)
set(CPACK_DEBIAN_COMPILER_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_COMPILER_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_COMPILER_PACKAGE_RECOMMENDS "libresnetcc-dev (= ${version})")
set(CPACK_DEBIAN_COMPILER_DESCRIPTION "resnetcc reads an ONNX model and writes an object file and a C header. The
object holds the weights and the machine code of this one network, and needs
no inference library.")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME libresnetcc-dev)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_DEPENDS "libresnetcc-rt1 (= ${version}), libc6-dev")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SUGGESTS resnetcc)
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION "What programs are linked with that call a model
compiled by resnetcc: a static library and its header, the same as one C file,
and the files by which CMake and pkg-config find them.")
set(CPACK_DEBIAN_SHARED_PACKAGE_NAME libresnetcc-rt1)
set(CPACK_DEBIAN_SHARED_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_SHARED_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/triggers "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_SHARED_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_BINARY_DIR}/triggers)
set(CPACK_DEBIAN_SHARED_DESCRIPTION "The runtime as a shared library, for programs
that share one runtime between several models. Others have it inside.")

# Policy wants compressed manual pages, and these two files of every package. With SOURCE_DATE_EPOCH packages are reproducible.
foreach(component IN ITEMS compiler runtime)
  install(CODE "
    file(GLOB pages \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_MANDIR}/man[13]/resnetcc*.[13]\")
    if(pages)
      execute_process(COMMAND gzip -9nf \${pages} COMMAND_ERROR_IS_FATAL ANY)
    endif()" COMPONENT ${component})
endforeach()
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
set(changelog ${CMAKE_CURRENT_BINARY_DIR}/changelog)
file(WRITE ${changelog}
  "resnetcc (${version}) stable; urgency=medium\n\n  * Release ${version}.\n\n -- ${CPACK_PACKAGE_CONTACT}  ${date}\n")
execute_process(COMMAND gzip -9nf ${changelog} COMMAND_ERROR_IS_FATAL ANY)
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} upper)
  set(folder ${CMAKE_INSTALL_DATADIR}/doc/${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  install(FILES LICENSE DESTINATION ${folder} RENAME copyright COMPONENT ${component})
  install(FILES ${changelog}.gz DESTINATION ${folder} COMPONENT ${component})
endforeach()
include(CPack)
