# Speed, as ratios to limits measured in the same run.  BENCH='tiny 0.5b' chooses shapes of the model table.
BENCHES := $(patsubst %,$B/tests/bench/%,record math model jail gpu)
bench: $(filter-out %/gpu,$(BENCHES)) all $(CLOCKWORK) ## measure speed (BENCH='miniature tiny 0.5b' chooses shapes)
	@[ -z "$${OPENBLAS_CORETYPE-}" ] || echo "(OPENBLAS_CORETYPE is set; r1 uses no BLAS, so it means nothing here)"
	@$B/tests/bench/record
	@$B/tests/bench/math
	@$B/tests/bench/model $(BENCH)
	@if $B/bin/r1-sandbox --check >/dev/null 2>&1; then $B/tests/bench/jail $(abspath $B/bin/r1-sandbox); else echo "jail: none on this machine"; fi
	@printf '{"id":"1","problem":"x=1 y=2 A x+=1 B y-=1 =?"}\n' > $B/tests/bench/one.jsonl; $(BIN)/r1-sample -q -m data/base.tar.zst --max-tokens 1 $B/tests/bench/one.jsonl > /dev/null; \
	s=$$(date +%s%N); for i in 1 2 3 4 5 6 7 8 9 10; do $(BIN)/r1-sample -q -m data/base.tar.zst --max-tokens 1 $B/tests/bench/one.jsonl > /dev/null; done; \
	echo "start to first token of the miniature: $$((($$(date +%s%N) - s) / 10000000)) ms"

# The same for --backend cuda.  BENCH='0.5b 1.5b 7b' chooses shapes; with PyTorch and transformers on the machine, theirs beside it.
bench-gpu: all $B/tests/bench/gpu ## measure --backend cuda on this machine's GPU (BENCH='0.5b 1.5b 7b' chooses shapes)
	@R1_CUDA=$(abspath bin/r1-cuda.so) $B/tests/bench/gpu $(BENCH) || [ $$? = 77 ]
	@if command -v python3 >/dev/null && python3 -c 'import torch, transformers; assert torch.cuda.is_available()' 2>/dev/null; then \
	  python3 tests/bench/transformers-gpu.py $(BENCH); else echo 'no PyTorch with transformers and a GPU to compare with'; fi

# Unit tests that other backends than the CPU's pass, too: on a GPU, and on the emulated one (run-tests)
GPU_TESTS := $(if $(BUNDLE),$(notdir $(wildcard $B/tests/unit/*)),$(patsubst tests/unit/%.c,%,$(wildcard tests/unit/backend_*.c tests/unit/cuda_*.c)) gradient sampler pytorch recompute)
check-gpu: all $(GPU_TESTS:%=$B/tests/unit/%) ## test --backend cuda on this machine's GPU
	@tests/check-gpu $B $(GPU_TESTS) || [ $$? = 77 ]

.PHONY: bench bench-gpu check-gpu
