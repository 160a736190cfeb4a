# cmake -DSOURCE=... -DHEADER=... -P commit.cmake: writes HEADER with the commit of SOURCE and whether tracked files differ
# from it. Run at every build (an answer from configuring would be stale), and touches HEADER only when it changes. Outside
# a git tree, or where SOURCE is only a folder in another's tree, the commit is "".
find_program(GIT git)
set(commit "")
set(dirty false)
if(GIT)
  set(git ${GIT} -c safe.directory=* -C ${SOURCE})
  execute_process(COMMAND ${git} rev-parse --show-toplevel OUTPUT_VARIABLE top OUTPUT_STRIP_TRAILING_WHITESPACE
    ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    file(REAL_PATH "${top}" top)
    file(REAL_PATH "${SOURCE}" source)
    if(top STREQUAL source)
      execute_process(COMMAND ${git} rev-parse --verify HEAD OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE
        ERROR_QUIET)
      execute_process(COMMAND ${git} status --porcelain --untracked-files=no OUTPUT_VARIABLE changes ERROR_QUIET)
      if(changes)
        set(dirty true)
      endif()
    endif()
  endif()
endif()
set(text "// Written by src/train/commit.cmake.
#define CONVOY_COMMIT \"${commit}\"
#define CONVOY_DIRTY ${dirty}
")
set(before "")
if(EXISTS ${HEADER})
  file(READ ${HEADER} before)
endif()
if(NOT text STREQUAL before)
  file(WRITE ${HEADER} "${text}")
endif()
