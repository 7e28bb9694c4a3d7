# The function resnetcc_add_model compiles a model when the project is built, and again when the model, its external data, its
# labels, the options or the compiler change:
#
#   resnetcc_add_model(TARGET MODEL file.onnx [NAME id] [OPTIONS option...] [INPUT words...] [OUTPUT words...]
#                      [LABELS file] [DEPENDS file...] [TEST folder])
#   resnetcc_add_model(TARGET file.onnx [option...])
#
# TARGET gets the object, the header id.h, and the runtime; so do those who link TARGET, but for the object, which they get
# from TARGET. Where TARGET does not exist it becomes a static library. INTERFACE and OBJECT libraries hand the object to those
# who link them. `id` is the model's file name made an identifier. INPUT and OUTPUT are values of --input and --output.
# A model that is made by the build is named as add_custom_command does. TEST adds the test TARGET.id, which runs the model with
# the folder's data sets by `resnetcc verify`; not in cross builds, where the machine that builds may not be able to.
#
# RESNETCC_EXECUTABLE names the compiler, where it is not that of the package; RESNETCC_TARGET and RESNETCC_CPU are its --target
# and -mcpu. A cross build has to set all three, or give these options: a model for the machine that builds is never meant.
cmake_policy(PUSH)
cmake_policy(VERSION 3.22...3.25)

# Sets `out` to the command that compiles, a path or a target.
function(resnetcc_find_compiler out)
  if(RESNETCC_EXECUTABLE)
    set(${out} ${RESNETCC_EXECUTABLE} PARENT_SCOPE)
  elseif(CMAKE_CROSSCOMPILING)
    message(FATAL_ERROR "resnetcc_add_model: this is a cross build: "
      "set RESNETCC_EXECUTABLE to a resnetcc that runs on this machine")
  elseif(TARGET resnetcc::resnetcc)
    set(${out} resnetcc::resnetcc PARENT_SCOPE)
  else()
    message(FATAL_ERROR "resnetcc_add_model: the compiler is not installed beside this package: "
      "install it, or set RESNETCC_EXECUTABLE")
  endif()
endfunction()

# Appends to the list `list` what RESNETCC_<variable> says, unless an option of that name is there.
function(resnetcc_add_default list name variable)
  foreach(option IN LISTS ${list})
    if(option STREQUAL name OR option MATCHES "^${name}=")
      return()
    endif()
  endforeach()
  if(RESNETCC_${variable})
    set(${list} ${${list}} ${name}=${RESNETCC_${variable}} PARENT_SCOPE)
  elseif(CMAKE_CROSSCOMPILING)
    message(FATAL_ERROR "resnetcc_add_model: this is a cross build: set RESNETCC_${variable}, which is resnetcc's ${name}")
  endif()
endfunction()

# Sets `out` to the absolute path of a file that exists, or that the build makes.
function(resnetcc_find_file out target file)
  get_filename_component(path ${file} ABSOLUTE)
  if(NOT EXISTS ${path})
    get_source_file_property(generated ${path} GENERATED)
    if(NOT generated AND NOT IS_ABSOLUTE ${file})
      get_filename_component(path ${file} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_BINARY_DIR})
      get_source_file_property(generated ${path} GENERATED)
    endif()
    if(NOT generated)
      message(FATAL_ERROR "resnetcc_add_model(${target}): ${file} does not exist")
    endif()
  endif()
  set(${out} ${path} PARENT_SCOPE)
endfunction()

# Gives the target an object, the folder of its header, and the runtime. The properties rather than target_link_libraries,
# which would force its form, with or without keywords, on the project.
function(resnetcc_extend_target target object header)
  get_target_property(type ${target} TYPE)
  if(type MATCHES "^(INTERFACE|OBJECT)_LIBRARY$")
    target_sources(${target} INTERFACE ${object})
  else()
    target_sources(${target} PRIVATE ${object})
  endif()
  get_filename_component(folder ${header} DIRECTORY)
  set(folder $<BUILD_INTERFACE:${folder}>)
  set_property(TARGET ${target} APPEND PROPERTY INTERFACE_INCLUDE_DIRECTORIES ${folder})
  set_property(TARGET ${target} APPEND PROPERTY INTERFACE_LINK_LIBRARIES resnetcc::rt)
  if(NOT type STREQUAL INTERFACE_LIBRARY)
    set_property(TARGET ${target} APPEND PROPERTY INCLUDE_DIRECTORIES ${folder})
    set_property(TARGET ${target} APPEND PROPERTY LINK_LIBRARIES resnetcc::rt)
  endif()
endfunction()

function(resnetcc_add_model target)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "MODEL;NAME;LABELS;TEST" "OPTIONS;INPUT;OUTPUT;DEPENDS")
  if(NOT ARG_MODEL)
    list(POP_FRONT ARG_UNPARSED_ARGUMENTS ARG_MODEL)
    list(APPEND ARG_OPTIONS ${ARG_UNPARSED_ARGUMENTS})
  elseif(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "resnetcc_add_model(${target}): ${ARG_UNPARSED_ARGUMENTS}: resnetcc's options stand behind OPTIONS")
  endif()
  if(NOT ARG_MODEL)
    message(FATAL_ERROR "resnetcc_add_model(${target}): no model is named")
  endif()
  resnetcc_find_file(model ${target} ${ARG_MODEL})
  if(NOT ARG_NAME)
    get_filename_component(ARG_NAME ${model} NAME_WLE)
    string(MAKE_C_IDENTIFIER ${ARG_NAME} ARG_NAME)
  endif()
  resnetcc_find_compiler(compiler)
  set(options ${ARG_OPTIONS})
  resnetcc_add_default(options --target TARGET)
  resnetcc_add_default(options -mcpu CPU)
  foreach(words IN LISTS ARG_INPUT)
    list(APPEND options --input=${words})
  endforeach()
  foreach(words IN LISTS ARG_OUTPUT)
    list(APPEND options --output=${words})
  endforeach()
  if(ARG_LABELS)
    resnetcc_find_file(labels ${target} ${ARG_LABELS})
    list(APPEND options --labels ${labels})
    list(APPEND ARG_DEPENDS ${labels})
  endif()

  set(folder ${CMAKE_CURRENT_BINARY_DIR}/resnetcc/${target})
  set(output ${folder}/${ARG_NAME})
  file(MAKE_DIRECTORY ${folder})
  # Makefiles do not run a command again because it has changed.
  file(GENERATE OUTPUT ${output}.options CONTENT "${options}\n")
  add_custom_command(OUTPUT ${output}.o ${output}.h
    COMMAND ${compiler} --name=${ARG_NAME} ${options} -MF ${output}.d -o ${output}.o -- ${model}
    DEPENDS ${model} ${compiler} ${output}.options ${ARG_DEPENDS} DEPFILE ${output}.d
    COMMENT "Compiling model ${ARG_NAME}" COMMAND_EXPAND_LISTS VERBATIM)
  # Targets of other folders don't see the command: they wait for this target.
  add_custom_target(${target}.${ARG_NAME}.model DEPENDS ${output}.o ${output}.h)

  if(NOT TARGET ${target})
    add_library(${target} STATIC)
    set(language CXX)
    if(CMAKE_C_COMPILER_LOADED)
      set(language C)
    endif()
    set_target_properties(${target} PROPERTIES LINKER_LANGUAGE ${language})
  endif()
  add_dependencies(${target} ${target}.${ARG_NAME}.model)
  resnetcc_extend_target(${target} ${output}.o ${output}.h)
  if(ARG_TEST AND NOT CMAKE_CROSSCOMPILING)
    resnetcc_find_file(sets ${target} ${ARG_TEST})
    if(TARGET ${compiler})
      set(compiler $<TARGET_FILE:${compiler}>)
    endif()
    add_test(NAME ${target}.${ARG_NAME} COMMAND ${compiler} verify ${options} -- ${model} ${sets} COMMAND_EXPAND_LISTS)
  endif()
endfunction()
cmake_policy(POP)
