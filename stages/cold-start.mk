# Stage 1, cold start: some thousand long chains of thought that a person can read, and a model that has learned them.
#
#   run/r1/cold-start/questions.jsonl       problems
#                     few-shot.jsonl        completions of the base, shown a long chain as an example (COLD_PROMPTS/TYPE.txt)
#                     direct.jsonl          ... told to look at each step (COLD_PROMPTS/reflect.txt)
#                     zero.jsonl            completions of R1-Zero at temperature 1
#                     kept.jsonl            those that are right, in one language and not there already; rejects.jsonl: the others, and why
#                     data.jsonl            kept ones rewritten: reasoning, then summary
#                     model/ model.jsonl    the base, trained on them; its metrics
#
# knob           default                  meaning (the paper's value)
COLD_PROBLEMS ?= 800#                     problems that chains are made for
COLD_SAMPLES  ?= 4#                       completions of each source for a problem
COLD_KEEP     ?= 2#                       chains kept of a problem
COLD_PROMPTS  ?= stages/prompts#          prompt templates of the sources, by type of problem
COLD_STOP     ?= --stop ' User:'#         where a base that goes on with further questions is stopped
COLD_ZERO_STEPS ?= 60#                    steps of RL that make R1-Zero
COLD_ZERO_LR  ?= 1e-4#                    its learning rate
COLD_REWRITE  ?= stages/rewrite#          filter that puts chains into their final form
COLD_EPOCHS   ?= 2#                       epochs of SFT
COLD_LR       ?= 5e-4#                    its learning rate
COLD := $(R1)/cold-start
R1_FIRST += $(call first,COLD_PROBLEMS,cold-start/questions.jsonl) $(call first,COLD_ZERO_STEPS COLD_ZERO_LR,zero/)
R1_FIRST += $(call first,COLD_SAMPLES COLD_PROMPTS COLD_STOP,cold-start/few-shot.jsonl cold-start/direct.jsonl) $(call first,COLD_SAMPLES,cold-start/zero.jsonl)
R1_FIRST += $(call first,COLD_KEEP,cold-start/kept.jsonl) $(call first,COLD_REWRITE,cold-start/data.jsonl) $(call first,COLD_EPOCHS COLD_LR,cold-start/model cold-start/model.jsonl)
R1_SOME += COLD_PROBLEMS COLD_SAMPLES COLD_KEEP COLD_ZERO_STEPS COLD_EPOCHS

$(R1)/zero/report.txt: $(R1_MODEL) $(R1)/data/train.jsonl $(R1)/data/heldout.jsonl
	$(call r1_zero,$(R1)/zero,$(R1_MODEL),STEPS=$(COLD_ZERO_STEPS) LR=$(COLD_ZERO_LR))

$(COLD)/questions.jsonl: $(R1)/data/train.jsonl
	@mkdir -p $(@D)
	@head -n $(COLD_PROBLEMS) $< > $@.tmp
	@mv $@.tmp $@

$(COLD)/few-shot.jsonl: $(COLD)/questions.jsonl $(R1_MODEL) $(wildcard $(COLD_PROMPTS)/*.txt)
	for type in $$(jq -r '.type // "math"' $< | sort -u); do jq -c --arg t "$$type" 'select((.type // "math") == $$t)' $< | \
	  $(call spread,4,$(call r1_sample,$(R1_MODEL),--template $(COLD_PROMPTS)/$$type.txt -n $(COLD_SAMPLES) --temperature 0.8 $(COLD_STOP))) || exit; done | \
	  jq -c '.source = "few-shot" | del(.group)' > $@.tmp
	@mv $@.tmp $@
$(COLD)/direct.jsonl: $(COLD)/questions.jsonl $(R1_MODEL) $(COLD_PROMPTS)/reflect.txt
	$(call spread,4,$(call r1_sample,$(R1_MODEL),--template $(COLD_PROMPTS)/reflect.txt -n $(COLD_SAMPLES) --temperature 0.8 $(COLD_STOP)),$<) | \
	  jq -c '.source = "direct" | .sample += 1000 | del(.group)' > $@.tmp
	@mv $@.tmp $@
$(COLD)/zero.jsonl: $(COLD)/questions.jsonl $(R1)/zero/report.txt
	$(call spread,4,$(call r1_answer,$(call r1_policy,$(R1)/zero),-n $(COLD_SAMPLES) --temperature 1),$<) | \
	  jq -c '.source = "zero" | .sample += 2000 | del(.group)' > $@.tmp
	@mv $@.tmp $@

$(COLD)/kept.jsonl: $(COLD)/few-shot.jsonl $(COLD)/direct.jsonl $(COLD)/zero.jsonl
	cat $^ | $(call spread,64,$(REWARD) -r accuracy -r language$(comma)target=$(R1_LANGUAGE)) | $(BIN)/r1-filter -f correct -f min-reward,of=language,min=1 -f readable -f truncated -f duplicate$(OVERLAP) \
	  -f at-most,k=$(COLD_KEEP),pick=random --seed $(SEED) --rejects $(COLD)/rejects.jsonl > $@.tmp
	@mv $@.tmp $@

$(COLD)/data.jsonl: $(COLD)/kept.jsonl $(COLD_REWRITE)
	$(COLD_REWRITE) $< > $@.tmp
	@mv $@.tmp $@
	@stages/make-up $@

$(COLD)/model.jsonl: $(COLD)/data.jsonl $(R1_MODEL)
	$(call r1_sft,$(R1_MODEL),$(COLD)/model,$<,--epochs $(COLD_EPOCHS) --lr $(COLD_LR))

cold-start: $(COLD)/model.jsonl ## stage 1: long chains from three sources, kept and rewritten; SFT of the base
	@stages/make-up $(COLD)/data.jsonl
	@tail -n 1 $<

.PHONY: cold-start
