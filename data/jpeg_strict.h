// libjpeg for those who write a JPEG anew: whatever it complains of, damage that it could live with included, goes back to the
// last setjmp(errors.escape), and the bytes stay as they are. Functions that call it hold no object with a destructor.
#pragma once

#include <cstdio>  // jpeglib.h needs it, and does not include it

#include <jerror.h>
#include <jpeglib.h>

#include <csetjmp>

namespace convoy {

struct StrictErrors {
  jpeg_error_mgr base{};
  std::jmp_buf escape{};
  bool out_of_memory = false;  // the machine's fault: says nothing about the image

  StrictErrors() {
    jpeg_std_error(&base);
    base.error_exit = leave;
    base.emit_message = [](j_common_ptr info, int level) {
      if (level < 0) leave(info);
    };
  }

 private:
  [[noreturn]] static void leave(j_common_ptr info) {
    auto& errors = *reinterpret_cast<StrictErrors*>(info->err);
    errors.out_of_memory = errors.base.msg_code == JERR_OUT_OF_MEMORY;
    std::longjmp(errors.escape, 1);
  }
};

}  // namespace convoy
