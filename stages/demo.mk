# The demonstration: R1-Zero on the model that comes with r1, short enough to watch. What it needs is built: of what takes long, CUDA, only what is asked for.
DEMO ?= run/demo
DEMO_KNOBS ?= STEPS=40 LR=3e-4 LOOK_EVERY=5 LOOK_PROBLEMS=64 LOOK_SAMPLES=4 FINAL_PROBLEMS=200 FINAL_SAMPLES=16
# Knobs of one's own come before those.
demo_knobs = $(foreach k,$(DEMO_KNOBS),$(if $(filter command,$(firstword $(origin $(firstword $(subst =, ,$k))))),,$k))
demo_tools = $(TOOLS:%=$(BIN)/%) $(CLOCKWORK) $(if $(MPIRUN),$(BIN)/r1-mpi.so) $(if $(filter cuda,$(BACKEND)),$(if $(NVCC),$(BIN)/r1-cuda.so),NVCC=)

demo: ## install what is missing, build, train the model that comes with r1 for some minutes, show what happened
	@$(MAKE) --no-print-directory -s deps
	@! $(MAKE) --no-print-directory -s -n $(demo_tools) | grep -e ' -o ' > /dev/null || echo 'building the tools: $(if $(filter cuda,$(BACKEND)),some minutes (CUDA),about a minute)'
	@$(MAKE) --no-print-directory -s -j$$(nproc) $(demo_tools)
	@$(MAKE) --no-print-directory -s zero ZERO=$(DEMO) $(demo_knobs)
	@stages/rollouts $$(ls $(DEMO)/*/final.jsonl)
	@echo; echo "$$([ ! -e $(DEMO)/curve.png ] || echo "$(DEMO)/curve.png is the picture; ")$(DEMO)/report.txt the table; $(DEMO)/0001/ .. the steps, each with its"; \
	echo "rollouts.jsonl, scored.jsonl, metrics.jsonl and policy/; and in the first and last of them final.jsonl, the evaluated completions."

.PHONY: demo
