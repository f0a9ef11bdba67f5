// Under AddressSanitizer and ThreadSanitizer an allocation that cannot be had fails as it does without them.

extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
extern "C" const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
