# Stage 4, reinforcement learning for all scenarios: rules for reasoning, reward models for general questions, which come in the last quarter only.
#
#   run/r1/final-rl/answers.jsonl           completions of general questions, by stage 3's model and by the base; answers-heldout.jsonl
#                   pairs.jsonl             pairs of them, each judged four times in random order, kept where clear; pairs-heldout.jsonl
#                   labels.jsonl            which of them are safe; labels-heldout.jsonl
#                   helpful/ helpful.jsonl  stage 3's model made a reward model from pairs: it reads summaries alone; its metrics, the last of
#                                           which say how many held-out pairs it gets right
#                   safe/ safe.jsonl        the same from labels: it reads whole responses
#                   questions.jsonl         what is asked, in order: step after step
#                   rl/                     what zero.mk leaves
#
# knob           default                  meaning (the paper's value)
FINAL_STEPS   ?= 60#                      steps of RL (1,700)
FINAL_GENERAL ?= $(shell echo $$(($(FINAL_STEPS) / 4)))#   steps at the end that have general questions, too (400)
FINAL_LR      ?= 5e-5#                    learning rate
FINAL_TEMPERATURE ?= 0.7#                 sampling temperature (0.7)
FINAL_CLIP    ?= 10#                      clip ratio (10)
FINAL_KL      ?= 0.001#                   KL coefficient (0.001)
FINAL_REWARDS ?= accuracy:1 language:0.2,target=$(R1_LANGUAGE) format:0.1#        rewards by rule and their weights
FINAL_MODELS  ?= $(FINAL)/helpful:1,as=helpful,on=summary,sigmoid=yes,type=general $(FINAL)/safe:2,as=safe,on=response,sigmoid=yes,type=general# reward models and theirs
FINAL_SAMPLES_EACH ?= 8#                  completions of each source for a general question
PREFER        ?= $(CLOCKWORK) prefer --seed $(SEED)#       filter that makes completions pairs of which one is clearly liked better
HELPFUL_LR    ?= 5e-4#                    learning rate of the pairwise reward model
HELPFUL_EPOCHS ?= 2#                      ... and its epochs
SAFE_LR       ?= 5e-4#                    learning rate of the pointwise one
SAFE_EPOCHS   ?= 1#                       ... and its epochs
FINAL := $(R1)/final-rl
R1_FIRST += $(call first,FINAL_STEPS FINAL_GENERAL,final-rl/questions.jsonl final-rl/rl/) $(call first,QUESTIONS,final-rl/questions.jsonl)
R1_FIRST += $(call first,FINAL_LR FINAL_TEMPERATURE FINAL_CLIP FINAL_KL FINAL_REWARDS FINAL_MODELS,final-rl/rl/)
R1_FIRST += $(call first,FINAL_SAMPLES_EACH,final-rl/answers.jsonl final-rl/answers-heldout.jsonl) $(call first,PREFER,final-rl/pairs.jsonl)
R1_FIRST += $(call first,HELPFUL_LR HELPFUL_EPOCHS,final-rl/helpful.jsonl) $(call first,SAFE_LR SAFE_EPOCHS,final-rl/safe.jsonl)
R1_SOME += FINAL_STEPS FINAL_SAMPLES_EACH HELPFUL_EPOCHS SAFE_EPOCHS

# $(call final_answers,QUESTIONS): completions by stage 3's model and, for variety, by the base
final_answers = cat /dev/null $1 | $(call spread,4,$(call r1_answer,$(REJECTION)/model,-n $(FINAL_SAMPLES_EACH) --temperature 1)); \
	  cat /dev/null $1 | $(call spread,4,$(call r1_answer,$(R1_MODEL),-n $(FINAL_SAMPLES_EACH) --temperature 1)) | jq -c '.id += "/base"'
$(FINAL)/answers.jsonl: $(GENERAL) $(R1)/rejection-sft/model.jsonl
	@mkdir -p $(@D)
	{ $(call final_answers,$(GENERAL)); }$(CLEAN) > $@.tmp
	@mv $@.tmp $@
$(FINAL)/answers-heldout.jsonl: $(GENERAL_HELDOUT) $(R1)/rejection-sft/model.jsonl
	@mkdir -p $(@D)
	{ $(call final_answers,$(GENERAL_HELDOUT)); } > $@.tmp
	@mv $@.tmp $@
$(FINAL)/pairs%jsonl: $(FINAL)/answers%jsonl
	$(PREFER) $< > $@.tmp
	@mv $@.tmp $@
$(FINAL)/labels%jsonl: $(FINAL)/answers%jsonl
	$(GENERAL_MARK) $< | jq -c '.label = .safe' > $@.tmp
	@mv $@.tmp $@

# $(call final_scorer,NAME,OBJECTIVE,DATA,OPTIONS)
define final_scorer
$(FINAL)/$1.jsonl: $(FINAL)/$3.jsonl $(FINAL)/$3-heldout.jsonl $(R1)/rejection-sft/model.jsonl
	if [ -s $$< ]; then $(LAUNCH)$(BIN)/r1-distill -q --objective $2 --model $(R1)/rejection-sft/model --output $(FINAL)/$1 --template $(R1_TEMPLATE) --batch 32 \
	  --warmup-ratio 0.03 --seed $$(SEED) $$(TRAIN) $4 $$$$([ ! -s $(FINAL)/$3-heldout.jsonl ] || echo --held-out $(FINAL)/$3-heldout.jsonl) $$<; fi > $$@.tmp
	@mv $$@.tmp $$@
endef
$(eval $(call final_scorer,helpful,pairwise,pairs,--on summary --lr $(HELPFUL_LR) --epochs $(HELPFUL_EPOCHS)))
$(eval $(call final_scorer,safe,pointwise,labels,--on response --lr $(SAFE_LR) --epochs $(SAFE_EPOCHS)))

# Reasoning problems in all steps; in the last ones three of four are general ones, if there are any. Their order is theirs: none is replaced (DYNAMIC).
$(FINAL)/questions.jsonl: $(R1)/data/train.jsonl $(GENERAL)
	@mkdir -p $(@D)
	@cat /dev/null $(GENERAL)$(CLEAN) > $(FINAL)/general.tmp
	@awk -v n=$(QUESTIONS) -v steps=$(FINAL_STEPS) -v last=$(FINAL_GENERAL) -v general=$(FINAL)/general.tmp '{ r[NR] = $$0 } \
	  END { while ((getline line < general) > 0) g[++m] = line; \
	    for (i = 0; i < n * steps; i++) print (m && i >= n * (steps - last) && i % 4 ? g[k++ % m + 1] : r[j++ % NR + 1]) }' $< > $@.tmp
	@rm $(FINAL)/general.tmp
	@mv $@.tmp $@

final_models := $(if $(strip $(GENERAL)),$(FINAL_MODELS))
$(FINAL)/rl/report.txt: $(FINAL)/questions.jsonl $(FINAL)/helpful.jsonl $(FINAL)/safe.jsonl $(R1)/rejection-sft/model.jsonl $(R1)/data/heldout.jsonl
	$(call r1_zero,$(FINAL)/rl,$(REJECTION)/model,STEPS=$(FINAL_STEPS) LR=$(FINAL_LR) CLIP=$(FINAL_CLIP) KL=$(FINAL_KL) TEMPERATURE=$(FINAL_TEMPERATURE) \
	  DATA=$(FINAL)/questions.jsonl DYNAMIC= REWARDS='$(FINAL_REWARDS)' REWARD_MODELS='$(final_models)')

final-rl: $(FINAL)/rl/report.txt ## stage 4: reward models from preferences; RL with them and with rules
	@for m in helpful safe; do tail -n 1 $(FINAL)/$$m.jsonl | jq -r --arg m $$m '"\($$m): \(.eval_accuracy * 1000 | round / 10) % of \(.eval_samples) held-out ones right"'; done
	@cat $<

.PHONY: final-rl
