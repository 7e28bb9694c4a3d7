# find_package(resnetcc): the target resnetcc::rt and
#
#   resnetcc_add_model(TARGET model.onnx [resnetcc options...])
#
# which compiles a model when the program is built, and gives TARGET its object, its header (named after the
# model file) and the runtime. It is compiled again when the model, the files of its external data or the compiler
# change.
cmake_policy(PUSH)
cmake_policy(VERSION 3.20...3.25) # paths in the rule that tells of external data
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/resnetccTargets.cmake)

function(resnetcc_add_model target model)
  get_filename_component(model ${model} ABSOLUTE)
  get_filename_component(name ${model} NAME_WLE)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/resnetcc)
  set(object ${folder}/${name}.o)
  set(header ${folder}/${name}.h)
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(OUTPUT ${object} ${header}
    COMMAND resnetcc::resnetcc ${ARGN} -o ${object} -MF ${object}.d -- ${model}
    DEPENDS ${model} $<TARGET_FILE:resnetcc::resnetcc> DEPFILE ${object}.d VERBATIM)
  target_sources(${target} PRIVATE ${object} ${header})
  set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  target_include_directories(${target} PRIVATE ${folder})
  target_link_libraries(${target} PRIVATE resnetcc::rt)
endfunction()
cmake_policy(POP)
