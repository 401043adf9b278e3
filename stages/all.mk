# The whole recipe, R1's four stages in a row; each is a target of its own, in a file of its name, and leaves its files in a folder of its name:
#
#   run/r1/data/            the problems, as records
#   run/r1/zero/            R1-Zero (zero.mk): one of the sources of the cold start
#   run/r1/cold-start/      stage 1
#   run/r1/reasoning-rl/    stage 2 (zero.mk again, from stage 1's model)
#   run/r1/rejection-sft/   stage 3
#   run/r1/final-rl/        stage 4
#   run/r1/table.txt        every model on every kind of problem
#
# MODEL, DATA, HELDOUT, TEMPLATE and MAX_TOKENS mean what they mean to make zero, but stand for the town's base and problems unless they are
# given (with DATA alone, the same file is evaluated on; with a MODEL, the template is the paper's, r1-zero). DATA may be in a shape that data/import knows.
#
# knob           default                  meaning (the paper's value)
R1            ?= run/r1#                  where all of it lies
R1_LANGUAGE   ?= en#                       language that chains of thought should be in
EVAL_PROBLEMS ?= 200#                     problems that each stage's model is evaluated on
EVAL_SAMPLES  ?= 16#                      completions a problem (64)
GENERAL       ?= $(if $(call given,DATA,),,run/town/general.jsonl)# questions that are no problems; none: leave them out
GENERAL_MARK  ?= $(CLOCKWORK) annotate#   filter that gives completions of those a `quality` and says whether they are `safe`
GENERAL_HELDOUT ?= $(if $(call given,DATA,),,run/town/general-heldout.jsonl)#     general questions that nothing is trained on

# KNOB:FILE,FILE: what a knob makes first, of which all else follows; FOLDER/ is what make zero does there. Once that is made the knob stays as it is.
R1_FIRST += $(call first,MODEL,zero/ cold-start/few-shot.jsonl cold-start/direct.jsonl cold-start/model cold-start/model.jsonl \
	rejection-sft/model rejection-sft/model.jsonl data/manners.jsonl)
R1_FIRST += $(call first,DATA BENCHMARKS,data/train.jsonl) $(call first,HELDOUT,data/heldout.jsonl)
R1_FIRST += $(call first,TEMPLATE MAX_TOKENS SEED BACKEND REPLICAS,zero/ reasoning-rl/ final-rl/rl/ cold-start/few-shot.jsonl cold-start/direct.jsonl \
	cold-start/model cold-start/model.jsonl data/manners.jsonl distill/*/model distill/*/model.jsonl)
R1_FIRST += $(call first,QUESTIONS GROUP MINIBATCHES LOSS REF_EVERY CRITIC DYNAMIC REFILL LOOK_EVERY,zero/ reasoning-rl/ final-rl/rl/)
R1_FIRST += $(call first,KL CLIP REWARDS REWARD_MODELS,zero/) $(call first,TEMPERATURE,zero/ reasoning-rl/)
R1_FIRST += $(call first,R1_LANGUAGE,cold-start/kept.jsonl reasoning-rl/ rejection-sft/rollouts.jsonl final-rl/rl/)
R1_FIRST += $(call first,EVAL_PROBLEMS EVAL_SAMPLES,zero/ reasoning-rl/ final-rl/rl/ */final.jsonl */manners.jsonl distill/*/before.jsonl distill/*/final.jsonl)
R1_FIRST += $(call first,GENERAL GENERAL_MARK,rejection-sft/general.jsonl final-rl/answers.jsonl)
R1_FIRST += $(call first,GENERAL_HELDOUT GENERAL_MARK,*/manners.jsonl final-rl/answers-heldout.jsonl)
first = $(foreach k,$1,$k:$(subst $(space),$(comma),$(strip $2)))
knobs_of = $(sort $(foreach k,$1,$(firstword $(subst :, ,$k))))
R1_SOME += EVAL_PROBLEMS EVAL_SAMPLES

# Names are given to make and to the shell as they are; those of a stage, in case it is asked for.
STAGE_NAMES := $(if $(filter zero r1 cold-start reasoning-rl rejection-sft final-rl distill,$(MAKECMDGOALS)),MODEL DATA HELDOUT)
$(foreach k,ZERO R1 DEMO FINDINGS $(STAGE_NAMES) $(if $(filter distill,$(MAKECMDGOALS)),STUDENT DISTILL_DATA),\
  $(if $(word 2,$($k)),$(error $k=$($k): make knows no names with blanks in them))\
  $(foreach c,: ; & | < > ',$(if $(findstring $c,$($k)),$(error $k=$($k): make and the shell know no names with $c in them))))
given = $(if $(filter command environment,$(firstword $(origin $1))),$($1),$2)
R1_MODEL := $(call given,MODEL,data/town.tar.zst)
R1_DATA := $(call given,DATA,run/town/train.jsonl)
R1_HELDOUT := $(call given,HELDOUT,$(call given,DATA,run/town/heldout.jsonl))
R1_TEMPLATE := $(call given,TEMPLATE,$(if $(call given,MODEL,),r1-zero,mini))
R1_MAX_TOKENS := $(call given,MAX_TOKENS,160)

# $(call r1_sample,MODEL,OPTIONS): problems on stdin to completions on stdout, by one process (spread, of zero.mk, takes it)
r1_sample = $(BIN)/r1-sample -q --model $1 --seed $(SEED) --batch $(BATCH) --max-tokens $(R1_MAX_TOKENS) $(COMPUTE) $2
# $(call r1_answer,MODEL,OPTIONS): with the plain template; and what scores completions for the table and for what is kept
r1_answer = $(call r1_sample,$1,--template $(R1_TEMPLATE) $2)
r1_score = $(REWARD) -r accuracy -r format -r language,target=$(R1_LANGUAGE)
# $(call r1_zero,FOLDER,MODEL,KNOBS): reinforcement learning from a model, by a make that knows nothing of these stages
r1_zero = $(MAKE) --no-print-directory zero R1=$1/none ZERO=$1 MODEL=$2 DATA=$(R1)/data/train.jsonl HELDOUT=$(R1)/data/heldout.jsonl TEMPLATE=$(R1_TEMPLATE) \
	  MAX_TOKENS=$(R1_MAX_TOKENS) FINAL_PROBLEMS=$(EVAL_PROBLEMS) FINAL_SAMPLES=$(EVAL_SAMPLES) LOOK_PROBLEMS=$(EVAL_PROBLEMS) LOOK_SAMPLES=4 $3
# $(call r1_sft,FROM,TO,DATA,OPTIONS): fine-tuning, which goes on where it was killed; from the beginning if the data are newer than what is
# there; nothing where there are no data (a weak model may get nothing right)
r1_sft = if [ $2/config.json -ot $3 ]; then rm -rf $2; fi; \
	  if [ -s $3 ]; then stages/metrics $2.jsonl $2 $(LAUNCH)$(BIN)/r1-distill -q --resume --save-every 100 --model $1 --output $2 \
	  --template $(R1_TEMPLATE) --warmup-ratio 0.03 --seed $(SEED) $(TRAIN) $4 $3; else echo "$3 holds nothing: $2 is $1 as it is" >&2; \
	  $(call copy_model,$1,$2); : > $2.jsonl; fi
# $(call r1_policy,FOLDER): the checkpoint that such a run ended with
r1_policy = $$(ls -d $1/[0-9]*/final.jsonl | tail -n 1 | sed 's,final.jsonl,policy,')

r1_value = $($(if $(filter MODEL DATA HELDOUT TEMPLATE MAX_TOKENS,$1),R1_)$1)
$(R1)/knobs: FORCE | $(BIN)/r1-reward
	$(foreach k,$(R1_SOME),$(call whole,$k)$(call some,$k))$(call whole,FINAL_GENERAL)@mkdir -p $(@D)
	@$(hold)
	@$(call now,$(call knobs_of,$(R1_FIRST)),r1_value) > $@.now
	@for r in $(REASONING_REWARDS) $(FINAL_REWARDS) language,target=$(R1_LANGUAGE); do $(REWARD) -r $$r < /dev/null || exit; done
	@stages/knobs $(@D) R1 $(patsubst %,'%',$(R1_FIRST))

$(R1)/data/train.jsonl: $(R1_DATA) $(BENCHMARKS) | $(R1)/knobs
	@mkdir -p $(@D)
	data/import $<$(CLEAN) | stages/once $< > $@.tmp
	@mv $@.tmp $@
$(R1)/data/heldout.jsonl: $(R1_HELDOUT) | $(R1)/knobs
	@mkdir -p $(@D)
	data/import $< > $@.tmp
	@mv $@.tmp $@

# $(call r1_final,MODEL): a model's scored completions of held-out problems
define r1_final
head -n $(EVAL_PROBLEMS) $(R1)/data/heldout.jsonl | \
  $(call spread,4,$(call r1_answer,$1,-n $(EVAL_SAMPLES) --temperature 0.6 --top-p 0.95) | $(r1_score)) > $@.tmp
@mv $@.tmp $@
endef
$(R1)/cold-start/final.jsonl: $(R1)/cold-start/model.jsonl $(R1)/data/heldout.jsonl
	$(call r1_final,$(R1)/cold-start/model)
$(R1)/rejection-sft/final.jsonl: $(R1)/rejection-sft/model.jsonl $(R1)/data/heldout.jsonl
	$(call r1_final,$(R1)/rejection-sft/model)

# $(call r1_manners,FOLDER,WHAT IT IS MADE WITH,MODEL): a model's completions of held-out general questions, marked
define r1_manners
$1/manners.jsonl: $2 $(GENERAL_HELDOUT)
	cat /dev/null $(GENERAL_HELDOUT) | head -n $(EVAL_PROBLEMS) | \
	  $$(call spread,4,$$(call r1_answer,$3,-n $(EVAL_SAMPLES) --temperature 0.6 --top-p 0.95)) | $(GENERAL_MARK) > $$@.tmp
	@mv $$@.tmp $$@
endef
$(eval $(call r1_manners,$(R1)/data,$(R1)/data/heldout.jsonl,$(R1_MODEL)))
$(eval $(call r1_manners,$(R1)/zero,$(R1)/zero/report.txt,$$(call r1_policy,$(R1)/zero)))
$(eval $(call r1_manners,$(R1)/cold-start,$(R1)/cold-start/model.jsonl,$(R1)/cold-start/model))
$(eval $(call r1_manners,$(R1)/reasoning-rl,$(R1)/reasoning-rl/report.txt,$$(call r1_policy,$(R1)/reasoning-rl)))
$(eval $(call r1_manners,$(R1)/rejection-sft,$(R1)/rejection-sft/model.jsonl,$(R1)/rejection-sft/model))
$(eval $(call r1_manners,$(R1)/final-rl,$(R1)/final-rl/rl/report.txt,$$(call r1_policy,$(R1)/final-rl/rl)))

# R1-Zero was not scored for its language; here it is.
$(R1)/zero/before.jsonl: $(R1)/zero/report.txt
	$(call spread,64,$(r1_score),$(R1)/zero/0000/final.jsonl) > $@.tmp
	@mv $@.tmp $@
$(R1)/zero/after.jsonl: $(R1)/zero/report.txt
	$(call spread,64,$(r1_score),$(call r1_policy,$(R1)/zero)/../final.jsonl) > $@.tmp
	@mv $@.tmp $@
R1_STAGES := data zero cold-start reasoning-rl rejection-sft final-rl
$(R1)/table.txt: $(R1)/zero/before.jsonl $(R1)/zero/after.jsonl $(R1)/cold-start/final.jsonl $(R1)/reasoning-rl/report.txt $(R1)/rejection-sft/final.jsonl \
	  $(R1)/final-rl/rl/report.txt $(R1_STAGES:%=$(R1)/%/manners.jsonl) stages/table
	@stages/table base=$(R1)/zero/before.jsonl,$(R1)/data/manners.jsonl R1-Zero=$(R1)/zero/after.jsonl,$(R1)/zero/manners.jsonl \
	  "stage 1"=$(R1)/cold-start/final.jsonl,$(R1)/cold-start/manners.jsonl \
	  "stage 2"="$$(ls $(R1)/reasoning-rl/[0-9]*/final.jsonl | tail -n 1)",$(R1)/reasoning-rl/manners.jsonl \
	  "stage 3"=$(R1)/rejection-sft/final.jsonl,$(R1)/rejection-sft/manners.jsonl \
	  "stage 4"="$$(ls $(R1)/final-rl/rl/[0-9]*/final.jsonl | tail -n 1)",$(R1)/final-rl/manners.jsonl > $@.tmp
	@mv $@.tmp $@

r1: $(R1)/table.txt ## R1's stages in a row: cold-start, reasoning-rl, rejection-sft, final-rl; and the table of all models (knobs: make r1-help)
	@cat $<

r1-help: ## list the knobs of R1's stages
	@for f in all cold-start reasoning-rl rejection-sft final-rl distill; do sed -n 's/^\([A-Z_0-9]*\) *?= *\([^#]*\)# *\(.*\)/  \1\t\2\t\3/p' stages/$$f.mk; done | \
	  awk -F'\t' '{printf "%-19s %-26s %s\n", $$1, $$2, $$3}'

.PHONY: r1 r1-help
.PRECIOUS: $(R1)/knobs
