#include "kernels/cpu.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <thread>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "kernels/table.h"

namespace linnet::kernels {

namespace {

#if defined(__x86_64__)

struct Registers {
  unsigned a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf = 0) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d);
  return r;
}

bool bit(unsigned value, int number) { return (value >> number & 1) != 0; }

/// Which register files the operating system saves: without it a processor's AVX-512 is of no use.
unsigned long saved_state() {
  if (!bit(cpuid(1).c, 27)) return 0;  // OSXSAVE
  unsigned low, high;
  // The instruction by name: _xgetbv needs this file compiled with -mxsave.
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<unsigned long>(high) << 32 | low;
}

constexpr unsigned kZen5 = 0x1a;

/// The maker's name is in three registers, the family in two fields of which the second is added to the first.
bool is_zen5_or_later() {
  const Registers maker = cpuid(0), model = cpuid(1);
  const unsigned family = (model.a >> 8 & 0xf) + (model.a >> 20 & 0xff);
  return maker.b == 0x68747541 && maker.d == 0x69746e65 && maker.c == 0x444d4163 && family >= kZen5;  // "AuthenticAMD"
}

Isa best_of_processor() {
  const Isa best = best_isa(read_x86_features());
#if defined(LINNET_EMULATE_AVX512)
  if (best == Isa::avx2) return Isa::avx512;
#endif
  return best;
}

std::string brand_of_processor() {
  char text[49] = {};
  for (unsigned i = 0; i < 3; ++i) {
    const Registers r = cpuid(0x80000002 + i);
    const unsigned words[4] = {r.a, r.b, r.c, r.d};
    std::memcpy(text + i * 16, words, 16);
  }
  std::string brand = text;
  const auto first = brand.find_first_not_of(' '), last = brand.find_last_not_of(' ');
  return first == std::string::npos ? "" : brand.substr(first, last - first + 1);
}

#elif defined(__aarch64__)

bool is_zen5_or_later() { return false; }
Isa best_of_processor() { return Isa::neon; }  // AArch64 has no variant without it
std::string brand_of_processor() { return ""; }

#else

bool is_zen5_or_later() { return false; }
Isa best_of_processor() { return Isa::scalar; }
std::string brand_of_processor() { return ""; }

#endif

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// "512K" -> 524288; 0 if it is no such text.
long bytes_of(const std::string& text) {
  char* end = nullptr;
  const long n = std::strtol(text.c_str(), &end, 10);
  if (end == text.c_str() || n < 0) return 0;
  return *end == 'K' ? n * 1024 : *end == 'M' ? n * 1024 * 1024 : n;
}

void read_caches(Cpu& cpu) {
  const std::string root = "/sys/devices/system/cpu/cpu0/cache/index";
  for (int i = 0; i < 8; ++i) {
    const std::string folder = root + std::to_string(i) + "/";
    const std::string level = first_line(folder + "level"), type = first_line(folder + "type");
    if (level.empty()) return;
    if (type == "Instruction") continue;
    long& size = level == "1" ? cpu.l1d_bytes : level == "2" ? cpu.l2_bytes : cpu.l3_bytes;
    if (level <= "3") size = bytes_of(first_line(folder + "size"));
  }
}

int processors_in_affinity_mask() {
  // The kernel refuses a set smaller than its own, so grow until it fits.
  for (int processors = 1024; processors <= 1 << 18; processors *= 4) {
    cpu_set_t* set = CPU_ALLOC(processors);
    if (set == nullptr) break;
    const std::size_t size = CPU_ALLOC_SIZE(processors);
    const int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

/// The smallest limit from `folder` (below `mount`) up to the mount itself: a limit on a parent binds too. `read` gives
/// a folder's limit, 0 for none.
template <class Read>
double tightest(const std::string& mount, std::string folder, Read read) {
  double limit = 0;
  for (;;) {
    const double here = read(mount + folder);
    if (here > 0) limit = limit > 0 ? std::min(limit, here) : here;
    const auto slash = folder.rfind('/');
    if (slash == std::string::npos) return limit;
    folder.resize(slash);
  }
}

/// cgroup v2's cpu.max: "max 100000" or "150000 100000".
double quota_v2(const std::string& folder) {
  std::istringstream text(first_line(folder + "/cpu.max"));
  double quota = 0, period = 0;
  return text >> quota >> period && period > 0 ? quota / period : 0;
}

double quota_v1(const std::string& folder) {
  const double quota = std::atof(first_line(folder + "/cpu.cfs_quota_us").c_str());
  const double period = std::atof(first_line(folder + "/cpu.cfs_period_us").c_str());
  return quota > 0 && period > 0 ? quota / period : 0;
}

/// /proc/self/cgroup has a line "0::/path" for v2 and one "4:cpu,cpuacct:/path" for v1. In a container the path may be
/// the host's, and not exist here; the limits of the mount's root are then the container's own.
double cgroup_quota() {
  double limit = 0;
  const auto add = [&limit](double quota) {
    if (quota > 0) limit = limit > 0 ? std::min(limit, quota) : quota;
  };
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    std::string path = line.substr(second + 1);
    if (path == "/") path.clear();
    if (controllers == ",,") {
      add(tightest("/sys/fs/cgroup", path, quota_v2));
    } else if (controllers.find(",cpu,") != std::string::npos) {
      add(tightest("/sys/fs/cgroup/cpu", path, quota_v1));
      add(tightest("/sys/fs/cgroup/cpu,cpuacct", path, quota_v1));
    }
  }
  return limit;
}

}  // namespace

const char* name(Isa isa) {
  switch (isa) {
    case Isa::scalar: return "scalar";
    case Isa::neon: return "neon";
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
  }
  return "";
}

#if defined(__x86_64__)

X86Features read_x86_features() {
  const Registers basic = cpuid(1), extended = cpuid(7), newer = cpuid(0x80000001);
  X86Features f;
  f.avx2 = bit(extended.b, 5);
  f.fma = bit(basic.c, 12);
  f.f16c = bit(basic.c, 29);
  f.bmi1 = bit(extended.b, 3);
  f.bmi2 = bit(extended.b, 8);
  f.lzcnt = bit(newer.c, 5);
  f.movbe = bit(basic.c, 22);
  f.avx512_f = bit(extended.b, 16);
  f.avx512_dq = bit(extended.b, 17);
  f.avx512_cd = bit(extended.b, 28);
  f.avx512_bw = bit(extended.b, 30);
  f.avx512_vl = bit(extended.b, 31);
  f.saved_state = saved_state();
  return f;
}

Isa best_isa(const X86Features& f) {
  constexpr unsigned long kYmm = 0x06, kZmm = 0xe6;
  if (!((f.saved_state & kYmm) == kYmm && f.avx2 && f.fma && f.f16c)) return Isa::scalar;
  // -march=x86-64-v4 is these five and all of v3. BMI and LZCNT come with every processor with AVX2 and FMA of note, but
  // the compiler may use them, so they are asked for.
  const bool v3 = f.bmi1 && f.bmi2 && f.lzcnt && f.movbe;
  const bool v4 = f.avx512_f && f.avx512_dq && f.avx512_cd && f.avx512_bw && f.avx512_vl;
  return v3 && v4 && (f.saved_state & kZmm) == kZmm ? Isa::avx512 : Isa::avx2;
}

#endif

Cpu detect_cpu() {
  Cpu cpu;
  cpu.brand = brand_of_processor();
  const auto up_to = [](Isa cap) {
    const Isa able = best_of_processor();
    // The last that the processor and this build both have.
    Isa best = Isa::scalar;
    for (const Isa isa : kIsas) {
      if (isa <= cap && isa <= able && table(isa) != nullptr) best = isa;
    }
    return best;
  };
  cpu.best = up_to(*std::rbegin(kIsas));
  cpu.selected = cpu.best;
  if (const char* cap = std::getenv("LINNET_MAX_ISA"); cap != nullptr && *cap != '\0') {
    const Isa* const isa = std::find_if(std::begin(kIsas), std::end(kIsas),
                                        [cap](Isa known) { return std::strcmp(cap, name(known)) == 0; });
    if (isa == std::end(kIsas)) {
      cpu.unknown_cap = cap;
    } else {
      cpu.selected = up_to(*isa);
    }
  }
  cpu.logical = processors_in_affinity_mask();
  cpu.quota = cgroup_quota();
  read_caches(cpu);
  cpu.fetches_past_l3 = is_zen5_or_later();
  return cpu;
}

int default_threads(const Cpu& cpu) {
  if (cpu.quota <= 0) return std::max(1, cpu.logical);
  return std::max(1, std::min(cpu.logical, static_cast<int>(std::ceil(std::min(cpu.quota, 1e6)))));
}

}  // namespace linnet::kernels
