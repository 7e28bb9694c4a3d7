# find_package(resnetcc): the target resnetcc::rt and
#
#   resnetcc_add_model(TARGET model.onnx [resnetcc options...])
#
# which compiles a model when the program is built, and gives TARGET its object, its header (named after the
# model file) and the runtime.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/resnetccTargets.cmake)

function(resnetcc_add_model target model)
  get_filename_component(model ${model} ABSOLUTE)
  get_filename_component(name ${model} NAME_WLE)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/resnetcc/${name}.o)
  set(header ${CMAKE_CURRENT_BINARY_DIR}/resnetcc/${name}.h)
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/resnetcc)
  add_custom_command(OUTPUT ${object} ${header}
    COMMAND resnetcc::resnetcc ${ARGN} -o ${object} -- ${model}
    DEPENDS ${model} VERBATIM)
  target_sources(${target} PRIVATE ${object} ${header})
  set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/resnetcc)
  target_link_libraries(${target} PRIVATE resnetcc::rt)
endfunction()
