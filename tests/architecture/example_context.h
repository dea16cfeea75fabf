// What the examples at the top of the public headers may speak of without declaring it. Declared, never defined: the
// examples are compiled and not linked.
#pragma once

#include <cstdio>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "linnet/linnet.h"

extern const float my_floats[2];
extern linnet::Session session;
extern linnet::Tensor input;
extern std::vector<std::string> labels;
extern int x, y;
