// meta.mat of a development kit, as MATLAB writes it.
#pragma once

#include <matio.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"

namespace convoy::fixtures {

struct Synset {
  double id;
  std::string wnid, words;
  double children;
};

inline void write_meta(const std::filesystem::path& path, const std::vector<Synset>& synsets,
                       matio_compression compression = MAT_COMPRESSION_ZLIB) {
  std::filesystem::create_directories(path.parent_path());
  const std::unique_ptr<mat_t, int (*)(mat_t*)> mat(Mat_CreateVer(path.c_str(), nullptr, MAT_FT_MAT5),
                                                    Mat_Close);
  ensure(mat != nullptr);
  const char* fields[] = {"ILSVRC2012_ID", "WNID", "words", "num_children"};
  size_t dims[] = {synsets.size(), 1};
  const std::unique_ptr<matvar_t, void (*)(matvar_t*)> all(Mat_VarCreateStruct("synsets", 2, dims, fields, 4),
                                                           Mat_VarFree);
  for (size_t i = 0; i < synsets.size(); ++i) {
    const auto set_text = [&](const char* field, std::string text) {
      size_t size[] = {1, text.size()};
      Mat_VarSetStructFieldByName(all.get(), field, i,
                                  Mat_VarCreate(nullptr, MAT_C_CHAR, MAT_T_UTF8, 2, size, text.data(), 0));
    };
    const auto set_number = [&](const char* field, double value) {
      size_t size[] = {1, 1};
      Mat_VarSetStructFieldByName(all.get(), field, i,
                                  Mat_VarCreate(nullptr, MAT_C_DOUBLE, MAT_T_DOUBLE, 2, size, &value, 0));
    };
    set_number("ILSVRC2012_ID", synsets[i].id);
    set_text("WNID", synsets[i].wnid);
    set_text("words", synsets[i].words);
    set_number("num_children", synsets[i].children);
  }
  ensure(Mat_VarWrite(mat.get(), all.get(), compression) == 0);
}

}  // namespace convoy::fixtures
