// SHA-256 (FIPS 180-4) of bytes and files: names the weights behind a figure.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <stipple/core/compiled.hpp>
#include <stipple/io/file.hpp>

namespace stipple {

/// The SHA-256 of `bytes` as 64 lower-case hexadecimal digits, as sha256sum prints it.
STIPPLE_IO_INLINE std::string sha256(std::span<const std::byte> bytes);

/// That of a file's content. Throws Error if the file cannot be read.
STIPPLE_IO_INLINE std::string sha256_of_file(const FilePath& path);

}  // namespace stipple

#if STIPPLE_DEFINES_IO(io) && STIPPLE_DEFINES_FUNCTIONS

#include <openssl/evp.h>
#include <array>

namespace stipple {

STIPPLE_IO_INLINE std::string sha256(std::span<const std::byte> bytes) {
  std::array<unsigned char, 32> digest{};
  unsigned length = 0;
  int const done = EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr);
  require(done == 1 && length == digest.size(), "sha256: the system's OpenSSL refuses to compute it");
  std::string text;
  for (unsigned char const byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

STIPPLE_IO_INLINE std::string sha256_of_file(const FilePath& path) { return sha256(MappedFile(path).bytes()); }

}  // namespace stipple

#endif
