# The paper's findings in miniature: experiments beside the stages, several seeds each, and one report of them beside the paper's figures.
#
#   run/zero run/zero-2 ...         R1-Zero on the clock, a folder a seed (zero.mk)
#   run/r1 run/r1-2 ...             the stages on the town
#   run/r1/findings/NAME.json       what an experiment found: rows {row, a, b, ...}; beside it, in folders, what it was found by
#   run/findings/report.md .html    the report; length.png stages.png ... its figures
#
# A row compares two numbers of one seed, a and b. The report gives their means over seeds and the interval of b - a (95 %, Student's t over seeds);
# a finding counts as reproduced where that interval lies on the side that the paper says.
#
# knob           default                  meaning
FINDINGS      ?= run/findings#            where the report lies
FINDING_SEEDS ?= 1 2 3#                   seeds; 1 is that of run/zero and run/r1, if SEED is
FINDING_MORE  ?= 4 5 6 7 8 9 10 11 12 13 14 15 16# further seeds, for what differs most from seed to seed: the language reward and PPO
FINDING_STEPS ?= 60#                      steps of RL of an experiment
FINDING_STUDENT ?= qwen#                  the student that is distilled into, and trained by RL
FINDING_STUDENT_STEPS ?= 180#             RL steps of that student: as many optimizer steps as its distillation has
FINDING_EQUAL ?= 60#                      RL steps that cost what the student's distillation does
FINDING_PPO_EQUAL ?= 40#                  steps of PPO, one that is looked at, that cost what FINDING_STEPS of GRPO do or more
FINDING_N     ?= 16#                      completions that best-of-N, majority and search choose from

F := $(R1)/findings
finding_names := zero cons stages language student sizes greedy few-shot hacking process process-rl search ppo thinking length-bias
finding_more_names := language ppo
# $(call finding_rl,NAME,MODEL,KNOBS): RL on the town, in $F/NAME/
finding_rl = $(call r1_zero,$F/$1,$2,STEPS=$(FINDING_STEPS) LR=$(COLD_ZERO_LR) $3)
# $(call finding_last,FOLDER): the last step's final.jsonl
finding_last = $$(ls $1/[0-9]*/final.jsonl | tail -n 1)
rewards_of = $(EVAL) --json
# $(call finding_pace,FOLDER): seconds from one step's end to the next, the median
finding_pace = $$(for m in $1/[0-9]*/metrics.jsonl; do stat -c %.6Y $$m; done | sort -n | awk 'NR > 1 { print $$1 - last } { last = $$1 }' | \
	  sort -n | awk '{ x[NR] = $$1 } END { print x[int((NR + 1) / 2)] }')

$F/zero.json: $(ZERO)/report.txt $(ZERO)/look.tsv
	@mkdir -p $(@D)
	$(rewards_of) $(ZERO)/0000/final.jsonl $(call finding_last,$(ZERO)) | stages/finding zero > $@.tmp
	@mv $@.tmp $@
$F/cons.json: $(ZERO)/report.txt
	@mkdir -p $(@D)
	$(rewards_of) $(call finding_last,$(ZERO)) | stages/finding cons $(FINAL_SAMPLES) > $@.tmp
	@mv $@.tmp $@

# The stages' table, as rows
$F/stages.json: $(R1)/table.txt
	@mkdir -p $(@D)
	stages/finding stages < $< > $@.tmp
	@mv $@.tmp $@

# R1-Zero on the town with a reward for keeping to one language; without it is stage 1's source
$F/language/report.txt: $(R1)/zero/report.txt
	@mkdir -p $(@D)
	$(call finding_rl,language,$(R1_MODEL),REWARDS='accuracy:1 format:0.1 language:0.2$(comma)target=$(R1_LANGUAGE)')
$F/language.json: $F/language/report.txt $(R1)/zero/after.jsonl
	$(r1_score) $(call finding_last,$F/language) | cat $(R1)/zero/after.jsonl - | stages/finding language > $@.tmp
	@mv $@.tmp $@

# The same student: RL, and what the big one taught
$F/student/report.txt: $(R1)/distill/$(FINDING_STUDENT)/final.jsonl
	@mkdir -p $(@D)
	$(call finding_rl,student,$(STUDENT_BASES)/$(FINDING_STUDENT)/base,STEPS=$(FINDING_STUDENT_STEPS))
$F/student/equal.jsonl: $F/student/report.txt
	$(call r1_final,$F/student/$$(printf %04d $(FINDING_EQUAL))/policy)
$F/student.json: $F/student/equal.jsonl $(R1)/distill/$(FINDING_STUDENT)/final.jsonl
	$(rewards_of) --by type $F/student/equal.jsonl $(call finding_last,$F/student) $(R1)/distill/$(FINDING_STUDENT)/final.jsonl | stages/finding student > $@.tmp
	@mv $@.tmp $@
$F/sizes.json: $(STUDENTS:%=$(R1)/distill/%/before.jsonl) $(STUDENTS:%=$(R1)/distill/%/final.jsonl)
	@mkdir -p $(@D)
	$(rewards_of) $(foreach s,$(STUDENTS),$(R1)/distill/$s/before.jsonl $(R1)/distill/$s/final.jsonl) | stages/finding sizes $(STUDENTS) > $@.tmp
	@mv $@.tmp $@

# Greedy evaluation: the checkpoints of R1-Zero that were looked at last
$F/greedy.json: $(ZERO)/report.txt
	@rm -rf $F/greedy; mkdir -p $F/greedy
	for s in $$(ls -d $(ZERO)/[0-9]*/look.json | tail -n 4 | sed 's,/look.json,,'); do head -n 100 $(HELDOUT) | \
	  $(call sample_scored,$$s/policy,-n 1 --greedy) > $F/greedy/greedy-$${s##*/}.jsonl; cp $$s/look.jsonl $F/greedy/sampled-$${s##*/}.jsonl; done
	$(rewards_of) $F/greedy/greedy-*.jsonl $F/greedy/sampled-*.jsonl | stages/finding greedy > $@.tmp
	@mv $@.tmp $@

# Stage 4's model with and without an example in front
$F/few-shot.json: $(R1)/final-rl/rl/report.txt
	@mkdir -p $F/few-shot
	for type in $$(jq -r '.type // "math"' $(R1)/data/heldout.jsonl | sort -u); do [ -e $(COLD_PROMPTS)/$$type.txt ] || continue; \
	  head -n $(EVAL_PROBLEMS) $(R1)/data/heldout.jsonl | jq -c --arg t "$$type" 'select((.type // "math") == $$t)' | \
	  $(call spread,4,$(call r1_sample,$(call r1_policy,$(R1)/final-rl/rl),--template $(COLD_PROMPTS)/$$type.txt -n $(EVAL_SAMPLES) --temperature 0.6 --top-p 0.95 $(COLD_STOP)) | \
	  $(r1_score)); done > $F/few-shot/shown.jsonl
	$(rewards_of) $F/few-shot/shown.jsonl $(call finding_last,$(R1)/final-rl/rl) | stages/finding two few-shot > $@.tmp
	@mv $@.tmp $@

# The preference reward for long: general questions in every step, the helpful model alone
$F/hacking/report.txt: $(R1)/final-rl/rl/report.txt
	@mkdir -p $(@D)
	$(call finding_rl,hacking,$(R1)/rejection-sft/model,DATA=$(GENERAL) STEPS=$$((2 * $(FINDING_STEPS))) LOOK_EVERY=20 REWARDS='accuracy:0 format:0.1' \
	  REWARD_MODELS='$(R1)/final-rl/helpful:1$(comma)as=helpful$(comma)on=summary')
$F/hacking.json: $F/hacking/report.txt
	for s in $$(ls -d $F/hacking/[0-9]*/look.json | sed 's,/look.json,,'); do cat $(GENERAL_HELDOUT) | $(call spread,4,$(call r1_answer,$$s/policy,-n 8 --temperature 1)) | $(GENERAL_MARK) | \
	  $(BIN)/r1-reward -q --reward-model $(R1)/final-rl/helpful$(comma)as=helpful$(comma)on=summary $(COMPUTE) > $$s/manners.jsonl; \
	  stages/finding point $${s##*/} < $$s/manners.jsonl; done | stages/finding hacking > $@.tmp
	@mv $@.tmp $@

# A process reward model: what comes of each beginning, learned from R1-Zero's own completions of training problems (Monte Carlo: the outcome)
$F/process/data.jsonl: $(R1)/zero/report.txt
	@mkdir -p $(@D)
	head -n $(COLD_PROBLEMS) $(R1)/data/train.jsonl | $(call spread,4,$(call r1_answer,$(call r1_policy,$(R1)/zero),-n 8 --temperature 1 --seed 77) | $(REWARD) -r accuracy) | \
	  jq -c 'select(.rewards.accuracy != null)' > $@.tmp
	@mv $@.tmp $@
$F/process/model.jsonl: $F/process/data.jsonl
	$(LAUNCH)$(BIN)/r1-distill -q --objective value --model $(call r1_policy,$(R1)/zero) --output $F/process/model --lr 5e-4 --batch 64 --warmup-ratio 0.03 --seed $(SEED) $(TRAIN) $< > $@.tmp
	@mv $@.tmp $@
# A completion's process score: the lowest value at the end of a step
$F/process/scored.jsonl: $F/process/model.jsonl
	head -n $(EVAL_PROBLEMS) $(R1)/data/heldout.jsonl | $(call spread,4,$(call r1_answer,$(call r1_policy,$(R1)/zero),-n $(FINDING_N) --temperature 1) | $(REWARD) -r accuracy | \
	  $(REWARD) --value-model $F/process/model $(COMPUTE)) > $@.tmp
	@mv $@.tmp $@
$F/process.json: $F/process/scored.jsonl
	stages/finding process "$$($(rewards_of) $< | jq '.["cons@$(FINDING_N)"]')" < $< > $@.tmp
	@mv $@.tmp $@

# ... and as the reward of RL, with nothing else but the format
$F/process-rl/report.txt: $F/process/model.jsonl
	@mkdir -p $(@D)
	$(call finding_rl,process-rl,$(R1_MODEL),REWARDS='accuracy:0 format:0.1' REWARD_MODELS='$F/process/model:1$(comma)as=process')
$F/process-rl.json: $F/process-rl/report.txt $(R1)/zero/report.txt
	{ cat $F/process-rl/0001/metrics.jsonl; cat $F/process-rl/[0-9]*/metrics.jsonl | tail -n 1; } | \
	  stages/finding process-rl $$($(rewards_of) $(call finding_last,$(R1)/zero) $(call finding_last,$F/process-rl) | jq '.["pass@1"]') > $@.tmp
	@mv $@.tmp $@

# Monte Carlo tree search with the value model, and as many rollouts without
$F/search/found.jsonl: $F/process/model.jsonl stages/search
	@mkdir -p $(@D)
	head -n $(EVAL_PROBLEMS) $(R1)/data/heldout.jsonl | BIN=$(BIN) COMPUTE='$(COMPUTE)' stages/search $(@D) $(call r1_policy,$(R1)/zero) $F/process/model $(FINDING_N) $(SEED) $(R1_TEMPLATE) $(R1_MAX_TOKENS) > $@.tmp
	@mv $@.tmp $@
$F/search.json: $F/search/found.jsonl $F/process.json
	$(BIN)/r1-reward -q -r accuracy $< | stages/finding search $F/process.json > $@.tmp
	@mv $@.tmp $@

# PPO from the same base on the same problems, with as many rollouts as R1-Zero
$F/ppo/report.txt: $(R1)/zero/report.txt
	@mkdir -p $(@D)
	$(call finding_rl,ppo,$(R1_MODEL),CRITIC=1e-3)
$F/ppo.json: $F/ppo/report.txt
	{ $(rewards_of) $(call finding_last,$F/ppo) $(call finding_last,$(R1)/zero); cat $F/ppo/$$(printf %04d $(FINDING_PPO_EQUAL))/look.json; \
	  cat $(R1)/zero/[0-9]*/look.json | tail -n 1; cat $F/ppo/[0-9]*/metrics.jsonl; cat $(R1)/zero/[0-9]*/metrics.jsonl; } | stages/finding ppo \
	  $$(cd $F/ppo; du -sbc $$(ls -d [0-9]*/policy | tail -n 1) $$(ls -d [0-9]*/critic | tail -n 1) | tail -n 1 | cut -f 1) $$(du -sb $(call r1_policy,$(R1)/zero) | cut -f 1) \
	  $(call finding_pace,$F/ppo) $(call finding_pace,$(R1)/zero) > $@.tmp
	@mv $@.tmp $@

# Tokens by how hard a problem is
$F/thinking.json: $(ZERO)/report.txt
	@mkdir -p $(@D)
	cat $(call finding_last,$(ZERO)) | stages/finding thinking > $@.tmp
	@mv $@.tmp $@

# A helpful model that reads the reasoning, too: how much its scores go with the length of what it reads, against the one that reads summaries
$F/length-bias/whole.jsonl: $(R1)/final-rl/helpful.jsonl
	@mkdir -p $(@D)
	$(LAUNCH)$(BIN)/r1-distill -q --objective pairwise --on response --model $(R1)/rejection-sft/model --output $F/length-bias/whole --template $(R1_TEMPLATE) --batch 32 --warmup-ratio 0.03 \
	  --lr $(HELPFUL_LR) --epochs $(HELPFUL_EPOCHS) --seed $(SEED) $(TRAIN) --held-out $(R1)/final-rl/pairs-heldout.jsonl $(R1)/final-rl/pairs.jsonl > $@.tmp
	@mv $@.tmp $@
$F/length-bias.json: $F/length-bias/whole.jsonl
	$(BIN)/r1-reward -q --reward-model $F/length-bias/whole$(comma)as=whole --reward-model $(R1)/final-rl/helpful$(comma)as=summary$(comma)on=summary $(COMPUTE) $(R1)/final-rl/answers-heldout.jsonl | \
	  stages/finding length-bias "$$(tail -n 1 $<)" "$$(tail -n 1 $(R1)/final-rl/helpful.jsonl)" > $@.tmp
	@mv $@.tmp $@

finding-rows: $(finding_names:%=$F/%.json)

# $(call finding_folder,WHAT,SEED): run/r1 for the first seed, run/r1-2 for seed 2
finding_folder = $1$(if $(filter-out 1,$2),-$2)
# $(call finding_seed,SEED,GOALS)
finding_seed = $(MAKE) --no-print-directory SEED=$1 ZERO=$(call finding_folder,run/zero,$1) R1=$(call finding_folder,run/r1,$1) $2
# $(call finding_files,SEED,NAMES)
finding_files = $(2:%=$(call finding_folder,run/r1,$1)/findings/%.json)
# $(call finding_take,SEED,NAMES): their rows, with the seed in each
finding_take = jq -c --argjson s $1 '.[] | .seed = $$s' $(call finding_files,$1,$2);
# What all seeds have in common is made first: with `make -j` they run beside one another.
finding-shared: $(sort $(MINI)/train.jsonl $(MINI)/heldout.jsonl $(TOWN)/open.jsonl $(R1_DATA) $(R1_HELDOUT) $(GENERAL) $(GENERAL_HELDOUT)) \
	  $(STUDENTS:%=$(STUDENT_BASES)/%/base.jsonl) | $(TOOLS:%=$(BIN)/%)
$(FINDING_SEEDS:%=finding-seed-%): finding-seed-%: finding-shared
	+$(call finding_seed,$*,finding-rows)
$(FINDING_MORE:%=finding-more-%): finding-more-%: finding-shared
	+$(call finding_seed,$*,$(call finding_files,$*,$(finding_more_names)))
$(FINDINGS)/rows.json: $(FINDING_SEEDS:%=finding-seed-%) $(FINDING_MORE:%=finding-more-%)
	@mkdir -p $(@D)
	@{ $(foreach s,$(FINDING_SEEDS),$(call finding_take,$s,$(finding_names)))$(foreach s,$(FINDING_MORE),$(call finding_take,$s,$(finding_more_names))) } | jq -s . > $@.tmp
	@mv $@.tmp $@
$(FINDINGS)/report.md: $(FINDINGS)/rows.json stages/report
	@stages/report $(FINDINGS) $(foreach s,$(FINDING_SEEDS),$(call finding_folder,run/zero,$s)) > $@.tmp
	@mv $@.tmp $@

findings: $(FINDINGS)/report.md ## the paper's findings in miniature, several seeds, beside the paper's figures
	@cat $<

.PHONY: findings finding-rows finding-shared $(FINDING_SEEDS:%=finding-seed-%) $(FINDING_MORE:%=finding-more-%)
