# Speed, as ratios to limits measured in the same run.  BENCH='tiny 0.5b' chooses shapes of the model table.
bench: $(patsubst tests/bench/%.c,$B/tests/bench/%,$(wildcard tests/bench/*.c)) all $(CLOCKWORK) ## measure speed (BENCH='miniature tiny 0.5b' chooses shapes)
	@[ -z "$${OPENBLAS_CORETYPE-}" ] || echo "(OPENBLAS_CORETYPE is set; r1 uses no BLAS, so it means nothing here)"
	@$B/tests/bench/record
	@$B/tests/bench/math
	@$B/tests/bench/model $(BENCH)
	@if $B/bin/r1-sandbox --check >/dev/null 2>&1; then $B/tests/bench/jail $(abspath $B/bin/r1-sandbox); else echo "jail: none on this machine"; fi
	@printf '{"id":"1","problem":"x=1 y=2 A x+=1 B y-=1 =?"}\n' > $B/tests/bench/one.jsonl; $(BIN)/r1-sample -q -m data/base.tar.zst --max-tokens 1 $B/tests/bench/one.jsonl > /dev/null; \
	s=$$(date +%s%N); for i in 1 2 3 4 5 6 7 8 9 10; do $(BIN)/r1-sample -q -m data/base.tar.zst --max-tokens 1 $B/tests/bench/one.jsonl > /dev/null; done; \
	echo "start to first token of the miniature: $$((($$(date +%s%N) - s) / 10000000)) ms"

.PHONY: bench
