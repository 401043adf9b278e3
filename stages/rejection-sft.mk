# Stage 3, rejection sampling and SFT: what stage 2's model gets right, three to one with what is no problem; the base learns both.
#
#   run/r1/rejection-sft/questions.jsonl    problems, other ones than stage 1's
#                        rollouts.jsonl     completions of stage 2's model, scored
#                        open.jsonl         completions of problems whose answers no rule compares
#                        judged.jsonl       ... with a judge's votes, who sees reference and answer
#                        kept.jsonl         right ones, readable, in one language; rejects.jsonl: the others, and why
#                        general.jsonl      completions of other questions, of the quality that is asked for
#                        data.jsonl         both, REJECTION_MIX to one
#                        model/ model.jsonl the base, trained on them; its metrics
#
# knob           default                  meaning (the paper's value)
REJECTION_PROBLEMS ?= 6000#               problems that are sampled
REJECTION_SAMPLES ?= 4#                   completions of each
REJECTION_KEEP ?= 2#                      kept of a problem
REJECTION_MAX ?= 150#                     longest completion that is kept, in tokens
REJECTION_MIX ?= 3#                       reasoning data for one part of the rest (3)
REJECTION_EPOCHS ?= 2#                    epochs of SFT, from the base (2)
REJECTION_LR  ?= 5e-4#                    its learning rate (5e-5)
OPEN          ?= $(if $(call given,DATA,),,run/town/open.jsonl)#    problems for the judge; none: leave them out
GENERAL_SAMPLES ?= 8#                      completions of a general question
GENERAL_QUALITY ?= 2.2#                   lowest quality that is kept, but where declining is what is right (`harmful`)
JUDGE         ?= $(R1_MODEL)#             model that judges (a generative reward model)
JUDGE_PROMPT  ?= stages/prompts/judge.txt#        its prompt; {problem} is REFERENCE : ANSWER
JUDGE_VOTES   ?= 4#                       votes of the judge; kept if most say yes
REJECTION := $(R1)/rejection-sft
R1_FIRST += $(call first,REJECTION_PROBLEMS,rejection-sft/questions.jsonl) $(call first,REJECTION_SAMPLES,rejection-sft/rollouts.jsonl rejection-sft/open.jsonl)
R1_FIRST += $(call first,REJECTION_KEEP REJECTION_MAX,rejection-sft/kept.jsonl) $(call first,REJECTION_MIX,rejection-sft/data.jsonl)
R1_FIRST += $(call first,REJECTION_EPOCHS REJECTION_LR,rejection-sft/model rejection-sft/model.jsonl) $(call first,OPEN,rejection-sft/open.jsonl)
R1_FIRST += $(call first,GENERAL_SAMPLES GENERAL_QUALITY,rejection-sft/general.jsonl) $(call first,JUDGE JUDGE_PROMPT JUDGE_VOTES,rejection-sft/judged.jsonl)
R1_SOME += REJECTION_PROBLEMS REJECTION_SAMPLES REJECTION_KEEP REJECTION_MAX REJECTION_MIX REJECTION_EPOCHS GENERAL_SAMPLES JUDGE_VOTES
# $(call rejection_sample,COMPLETIONS,SCORE): of stage 2's model, scored where they are sampled
rejection_sample = $(call spread,4,$(call r1_answer,$(call r1_policy,$(R1)/reasoning-rl),-n $1 --temperature 1) | $2)
# ... those of what has no answer that a rule compares
rejection_score = $(REWARD) -r format -r language,target=$(R1_LANGUAGE)

$(REJECTION)/questions.jsonl: $(R1)/data/train.jsonl
	@mkdir -p $(@D)
	@tail -n $(REJECTION_PROBLEMS) $< > $@.tmp
	@mv $@.tmp $@
$(REJECTION)/rollouts.jsonl: $(REJECTION)/questions.jsonl $(R1)/reasoning-rl/report.txt
	cat $< | $(call rejection_sample,$(REJECTION_SAMPLES),$(r1_score)) > $@.tmp
	@mv $@.tmp $@

$(REJECTION)/open.jsonl: $(OPEN) $(R1)/reasoning-rl/report.txt
	@mkdir -p $(@D)
	cat /dev/null $(OPEN) | stages/once OPEN | $(call rejection_sample,$(REJECTION_SAMPLES),$(rejection_score)) > $@.tmp
	@mv $@.tmp $@
# The judge is asked in a record of its own, whose id is that of the completion.
$(REJECTION)/judged.jsonl: $(REJECTION)/open.jsonl $(JUDGE_PROMPT) stages/judge
	stages/judge $< $(JUDGE_VOTES) $(call spread,4,$(call r1_sample,$(JUDGE),--template $(JUDGE_PROMPT) -n $(JUDGE_VOTES) --temperature 0.6 $(COLD_STOP))) > $@.tmp
	@mv $@.tmp $@

$(REJECTION)/kept.jsonl: $(REJECTION)/rollouts.jsonl $(REJECTION)/judged.jsonl
	cat $^ | $(BIN)/r1-filter -f correct -f format -f min-reward,of=language,min=1 -f readable -f length,max=$(REJECTION_MAX) -f truncated -f duplicate$(OVERLAP) \
	  -f at-most,k=$(REJECTION_KEEP),pick=random --seed $(SEED) --rejects $(REJECTION)/rejects.jsonl > $@.tmp
	@mv $@.tmp $@

$(REJECTION)/general.jsonl: $(GENERAL) $(R1)/reasoning-rl/report.txt
	@mkdir -p $(@D)
	cat /dev/null $(GENERAL) | $(call rejection_sample,$(GENERAL_SAMPLES),$(rejection_score)) | $(GENERAL_MARK)$(CLEAN) | \
	  jq -c 'select(.safe and (.harmful or .quality >= $(GENERAL_QUALITY)) and .rewards.format == 1)' > $@.tmp
	@mv $@.tmp $@

$(REJECTION)/data.jsonl: $(REJECTION)/kept.jsonl $(REJECTION)/general.jsonl
	stages/mix $(REJECTION_MIX) $^ > $@.tmp
	@mv $@.tmp $@

$(REJECTION)/model.jsonl: $(REJECTION)/data.jsonl $(R1_MODEL)
	$(call r1_sft,$(R1_MODEL),$(REJECTION)/model,$<,--epochs $(REJECTION_EPOCHS) --lr $(REJECTION_LR))

rejection-sft: $(REJECTION)/model.jsonl ## stage 3: rejection sampling from stage 2's model, general data, SFT of the base
	@stages/make-up $(REJECTION)/data.jsonl
	@tail -n 1 $<

.PHONY: rejection-sft
