# Stage 2, reinforcement learning of reasoning: as R1-Zero, from stage 1's model, with a reward for keeping to one language.
#
#   run/r1/reasoning-rl/    what zero.mk leaves
#
# knob           default                  meaning (the paper's value)
REASONING_STEPS ?= 60#                    steps of RL
REASONING_LR  ?= 1e-4#                    learning rate
REASONING_CLIP ?= 10#                     clip ratio (10)
REASONING_KL  ?= 0.001#                   KL coefficient (0.001)
REASONING_REWARDS ?= accuracy:1 language:0.2,target=$(R1_LANGUAGE) format:0.1#    rewards and their weights (accuracy and language, added up)
R1_FIRST += $(call first,REASONING_STEPS REASONING_LR REASONING_CLIP REASONING_KL REASONING_REWARDS,reasoning-rl/)
R1_SOME += REASONING_STEPS

$(R1)/reasoning-rl/report.txt: $(R1)/cold-start/model.jsonl $(R1)/data/train.jsonl $(R1)/data/heldout.jsonl
	$(call r1_zero,$(R1)/reasoning-rl,$(R1)/cold-start/model,STEPS=$(REASONING_STEPS) LR=$(REASONING_LR) CLIP=$(REASONING_CLIP) KL=$(REASONING_KL) \
	  REWARDS='$(REASONING_REWARDS)')

reasoning-rl: $(R1)/reasoning-rl/report.txt ## stage 2: RL from stage 1's model with accuracy, language consistency and format
	@cat $<

.PHONY: reasoning-rl
