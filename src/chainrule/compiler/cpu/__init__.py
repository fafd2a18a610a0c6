"""Native code for processors: kernels written in LLVM IR, built, kept and run."""
