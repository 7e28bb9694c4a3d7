// digit: tells which handwritten digit a picture of 8x8 pixels shows, a PGM in text form, dark on light.
#include "resnetcc.hpp"

#include "digits.h"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <string>

static std::vector<float> read_picture(const char *path) {
  std::ifstream file(path);
  std::string kind;
  int width = 0, height = 0, white = 0;
  if (!(file >> kind >> width >> height >> white) || kind != "P2" || width != 8 || height != 8 || white <= 0)
    throw std::runtime_error(std::string(path) + ": not a PGM of 8x8 pixels in text form");
  std::vector<float> image;
  for (float grey; image.size() < 64 && file >> grey;) image.push_back(1 - grey / static_cast<float>(white));
  return image;
}

int main(int argc, char **argv) try {
  if (argc != 2) throw std::invalid_argument("usage: digit PICTURE.pgm");
  resnetcc::pool threads(2);
  resnetcc::runner net(digits_model, &threads);
  std::vector<float> p = net(read_picture(argv[1]));
  auto best = std::max_element(p.begin(), p.end());
  std::cout << argv[1] << " looks like " << best - p.begin() << " (" << 100 * *best << " %)\n";
} catch (const std::exception &e) {
  std::cerr << e.what() << "\n";
  return 1;
}
