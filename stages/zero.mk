# R1-Zero: pure reinforcement learning from a base model with rule rewards, one step a folder:
#
#   run/zero/knobs                  what this run was begun with
#   run/zero/data.jsonl             with BENCHMARKS: what is left of DATA
#   run/zero/0000/policy            the base model
#   run/zero/0001/questions.jsonl   this step's problems
#                 rollouts.jsonl    r1-sample: completions with token ids and logprobs
#                 scored.jsonl      r1-reward | r1-advantage
#                 metrics.jsonl     r1-update: the step's metrics; written last
#                 policy/           the checkpoint after the step
#                 look.jsonl        every LOOK_EVERY steps: scored completions of held-out problems ...
#                 look.json         ... and what r1-eval says of them
#                 final.jsonl       before and after: scored completions of FINAL_PROBLEMS held-out problems
#                 round-1/ ..     DYNAMIC: the questions, rollouts and scores of each round, and next, the line of DATA that the next begins with;
#                                 scored.jsonl has the groups with signal of all of them
#   run/zero/curve.tsv look.tsv     what happened over the steps, and curve.png, the picture of it
#   run/zero/report.txt             the table, before and after; written last
#
# Every file may be looked at, edited and deleted: make does again what depends on it. A run that was killed goes on where it was,
# to the same bytes. DATA and HELDOUT are records, or in a shape that data/import knows, a line each.
#
# knob           default                  meaning (the paper's value)
ZERO          ?= run/zero#                where the run lies
MODEL         ?= data/base.tar.zst#       base model
DATA          ?= run/data/train.jsonl#    problems to train on
HELDOUT       ?= $(call unless,DATA,run/data/heldout.jsonl,$(DATA))# problems to evaluate on (with DATA alone: those)
BENCHMARKS    ?=#                         files of evaluation problems: what has ten words in a row in common with any of them is not trained on
TEMPLATE      ?= $(call unless,MODEL,mini,r1-zero)# prompt template (with MODEL: r1-zero)
STEPS         ?= 120#                     steps of RL (10,400)
QUESTIONS     ?= 16#                      problems a step, none of them twice (32)
GROUP         ?= 16#                      completions a problem (16)
DYNAMIC       ?=#                         1: dynamic sampling: problems whose groups give no signal, all one reward, are replaced; accuracy: all right or all wrong (DAPO)
REFILL        ?= 3#                       rounds of that at most, until QUESTIONS groups give one
MINIBATCHES   ?= 2#                       optimizer steps a step (16)
LR            ?= 6e-5#                    learning rate (3e-6)
LOSS          ?= dapo#                    loss: grpo is the paper's; dapo, its mean over all tokens, is steadier with tiny models; dr_grpo, gspo, cispo
KL            ?= 0#                       KL coefficient (0.001)
REF_EVERY     ?= 400#                     steps between refreshes of the reference model (400)
CLIP          ?= $(call unless,LOSS,0.2,-1)# clip ratio (with LOSS: -1, that loss's own)
REWARDS       ?= accuracy:1 format:0.1#   rewards and their weights (accuracy and format, equal)
REWARD_MODELS ?=#                         reward models and their weights (r1-reward --reward-model), in training
CRITIC        ?=#                         a learning rate: PPO, with a critic that is trained beside the policy and GAE (GRPO: none)
TEMPERATURE   ?= 1#                       sampling temperature (1)
MAX_TOKENS    ?= 120#                     longest completion (32,768, then 65,536)
SEED          ?= 1#                       seed of everything
LOOK_EVERY    ?= 10#                      steps between looks at held-out problems
LOOK_PROBLEMS ?= 100#                     problems of such a look
LOOK_SAMPLES  ?= 4#                       completions a problem of such a look
FINAL_PROBLEMS ?= 200#                    problems of the evaluation before and after
FINAL_SAMPLES ?= 64#                      completions a problem of it (64)
KEEP          ?= 10#                      last checkpoints that are kept; those that were looked at are kept too
JOBS          ?= 1#                       processes that GNU parallel spreads sampling and scoring over
PARALLEL_HOSTS ?=#                        an sshlogin file of GNU parallel: hosts to sample and score on, with this folder where it is here
THREADS       ?= 0#                       threads of each process (0: all cores)
BACKEND       ?= cpu#                     cpu, cpu-bf16 or cuda
RECOMPUTE     ?=#                         1: training keeps what goes into each layer and computes the rest again: memory, not results
REPLICAS      ?= 1#                       replicas that a step of training is dealt to, of which the bytes are a function (r1-update)
MPIRUN        ?=#                         what starts as many processes for them, mpirun --bind-to none, say (none: one process is all of them)
BATCH         ?= 256#                     completions at once in a sampler: speed, not results
INSPECT       ?= $(CLOCKWORK) inspect#    what else to say of a look's completions (the miniature's own: what reflections follow and do)
REFLECT       ?= $(if $(INSPECT),wait$(comma)等)# words that tell of reflection, where r1-eval's are not those (with INSPECT: the miniature's)

# $(call unless,KNOB,A,B): A, or B if the knob was given
unless = $(if $(filter command environment,$(origin $1)),$3,$2)
comma := ,
space := $(subst ,, )
EVAL = $(BIN)/r1-eval -q $(if $(REFLECT),--reflect '$(REFLECT)')
COMPUTE = --threads $(THREADS) --backend $(BACKEND)
TRAIN = $(COMPUTE) $(if $(RECOMPUTE),--recompute) $(if $(filter-out 1,$(REPLICAS)),--replicas $(REPLICAS))
LAUNCH = $(if $(MPIRUN),$(MPIRUN) -n $(REPLICAS) )
# The filter for r1-filter, and the end of a pipe that has it alone; neither without BENCHMARKS
OVERLAP = $(if $(strip $(BENCHMARKS)), -f overlap$(comma)with=$(subst $(space),$(comma),$(strip $(BENCHMARKS))))
CLEAN = $(if $(OVERLAP), | $(BIN)/r1-filter$(OVERLAP))
REWARD = $(BIN)/r1-reward -q --jobs $(THREADS)
REWARD_OPTIONS = $(addprefix --reward ,$(REWARDS))
MODEL_OPTIONS = $(if $(REWARD_MODELS),$(addprefix --reward-model ,$(REWARD_MODELS)) $(COMPUTE))
dynamic = $(filter-out 0,$(DYNAMIC))
# What fixes the bytes of a run; threads, batch, jobs, processes and recomputing do not.
ZERO_KNOBS := MODEL DATA HELDOUT TEMPLATE QUESTIONS GROUP MINIBATCHES LR LOSS KL REF_EVERY CLIP REWARDS REWARD_MODELS CRITIC TEMPERATURE MAX_TOKENS SEED \
	LOOK_EVERY LOOK_PROBLEMS LOOK_SAMPLES FINAL_PROBLEMS FINAL_SAMPLES BACKEND $(if $(filter-out 1,$(REPLICAS)),REPLICAS) $(if $(dynamic),DYNAMIC REFILL) $(if $(OVERLAP),BENCHMARKS)
# $(call whole,KNOB): it must be a whole number; $(call some,KNOB): not 0.
digits_off = $(subst 0,,$(subst 1,,$(subst 2,,$(subst 3,,$(subst 4,,$(subst 5,,$(subst 6,,$(subst 7,,$(subst 8,,$(subst 9,,$1))))))))))
whole = $(if $(call digits_off,$($1))$(if $($1),,x),$(error $1=$($1): not a whole number))
$(call whole,STEPS)$(call whole,LOOK_EVERY)$(call whole,REFILL)
$(if $(and $(dynamic),$(CRITIC)),$(error DYNAMIC=$(DYNAMIC): with a CRITIC every completion gives a signal))
some = $(if $(subst 0,,$($1)),,$(error $1=$($1): at least 1))
$(call some,STEPS)$(call some,LOOK_EVERY)$(call some,JOBS)
$(foreach k,ZERO R1 DEMO FINDINGS $(STAGE_NAMES),$(if $(strip $($k)),,$(error $k=: a name is missing)))
ZERO_WHOLE := QUESTIONS GROUP MINIBATCHES REF_EVERY MAX_TOKENS LOOK_PROBLEMS LOOK_SAMPLES FINAL_PROBLEMS FINAL_SAMPLES KEEP REPLICAS
ZERO_SOME := $(filter-out REF_EVERY FINAL_PROBLEMS KEEP REPLICAS,$(ZERO_WHOLE))
ZERO_DATA := $(if $(OVERLAP),$(ZERO)/data.jsonl,$(DATA))
ZERO_STEPS := $(shell seq -f %04.0f 1 $(STEPS))
ZERO_LOOKS := $(shell seq -f %04.0f 0 $(LOOK_EVERY) $(STEPS))
ZERO_LAST := $(shell printf %04d $(STEPS))

# $(call spread,LINES,FILTER,FILE): a filter of the lines of FILE, or a pipe of filters of those on stdin. Where asked, GNU parallel deals out so many
# lines at a time to processes here or elsewhere; what they write comes in the order of what they read. FILTER is expanded here, and run there.
ifeq ($(JOBS)$(PARALLEL_HOSTS),1)
spread = $2 $3
else
export PARALLEL_SHELL := $(SHELL)
spread = parallel --will-cite --pipe --keep-order --halt now,fail=1 --block 64M -N $1 --jobs $(JOBS) \
	  $(if $(PARALLEL_HOSTS),--sshloginfile $(PARALLEL_HOSTS) --wd .) "set -o pipefail; $(subst ",\",$2)" $(if $3,< $3)
endif
# $(call sample,POLICY,OPTIONS): problems on stdin to completions on stdout
sampler = $(BIN)/r1-sample -q --model $1 --template $(TEMPLATE) --seed $(SEED) --batch $(BATCH) --max-tokens $(MAX_TOKENS) $(COMPUTE) $2
sample = $(call spread,4,$(sampler))
# $(call sample_scored,POLICY,OPTIONS): ... scored where they are sampled
sample_scored = $(call spread,4,$(sampler) | $(REWARD) $(REWARD_OPTIONS))
# $(call evaluate,POLICY,PROBLEMS,SAMPLES): scored completions of held-out problems, as the paper evaluates
evaluate = head -n $2 $(HELDOUT) | data/import | $(call sample_scored,$1,-n $3 --temperature 0.6 --top-p 0.95)

zero: $(ZERO)/report.txt ## R1-Zero: train MODEL by pure RL on DATA (knobs: make zero-help)
	@cat $<
	@! command -v gnuplot > /dev/null || gnuplot -c stages/curve.gp $(ZERO) - | sed 's/\f//g;s/ *$$//' | cat -s

zero-help: ## list the knobs of make zero
	@sed -n 's/$$(call unless,[A-Z]*,\([^,]*\),[^#]*)#/\1#/;s/$$(if [^,]*,\(.*\))#/\1#/;s/$$(comma)/,/;s/^\([A-Z_]*\) *?= *\([^#]*\)# *\(.*\)/  \1\t\2\t\3/p' stages/zero.mk | awk -F'\t' '{printf "%-17s %-26s %s\n", $$1, $$2, $$3}'

# Two makes must not write into one folder: the lock of the target's is held by a process that ends with this make, however that ends (flock 9: a file
# system without locks does without).
hold = exec 9<$(@D); flock -E 9 -w 2 9 2>/dev/null || [ $$? != 9 ] || { echo "$(@D): another make is writing there" >&2; exit 1; }; \
	tail -s 0.1 --pid=$$PPID -f /dev/null </dev/null >/dev/null 2>&1 &
# $(call now,KNOBS,VALUES): a line for each of them; VALUES: $(call VALUES,KNOB) is what it says
now = { $(foreach k,$1,echo '$k = $(subst ','\'',$(call $2,$k))';) }
as_given = $($1)

# A run must not change its knobs on the way: the file is compared ever after, but for knobs that have made nothing yet.
$(ZERO)/knobs: FORCE
	$(foreach k,$(ZERO_WHOLE),$(call whole,$k))$(foreach k,$(ZERO_SOME),$(call some,$k))@mkdir -p $(@D)
	@$(hold)
	@for f in $(DATA) $(HELDOUT); do [ -e $$f ] || continue; read="data/import $$f"; \
	  case "$$(head -c 4 $$f | od -An -tx1)" in ' 5b'* | ' ef bb bf 5b'*) what='an array';; ' 50 41 52 31'*) what=Parquet;; \
	  ' 1f 8b'*) what=gzip;; ' 28 b5 2f fd'*) what=zstd;; ' fd 37 7a 58'*) what=xz;; ' 42 5a 68'*) what=bzip2;; \
	  *) grep -q '[^[:space:]]' $$f && continue; echo "$$f: there are no problems in it" >&2; exit 1;; esac; \
	  case $$what in gzip | zstd | xz | bzip2) read="$$what -dc $$f | data/import"; what="compressed by $$what";; esac; \
	  echo "$$f is $$what, not a line for each problem: make it one ($$read > FILE)" >&2; exit 1; done
	@$(call now,$(ZERO_KNOBS),as_given) > $@.now
	@stages/knobs $(@D) ZERO
FORCE:

# $(call copy_model,MODEL,FOLDER): a checkpoint, a folder or an archive, as a folder of its own
copy_model = if [ -d $1 ]; then rm -rf $2 && cp -rL $1 $2; else $(BIN)/r1-model unpack -q --force $1 -o $2; fi

$(ZERO)/data.jsonl: $(DATA) $(BENCHMARKS) | $(ZERO)/knobs $(BIN)/r1-filter
	data/import $<$(CLEAN) > $@.tmp
	@mv $@.tmp $@

define zero_begin
@mkdir -p $(@D)
$(call copy_model,$(MODEL),$(@D)/policy)
@rm -rf $(@D)/policy/optimizer $(@D)/policy/reference $(@D)/policy/state.json
endef
$(ZERO)/0000/metrics.jsonl: $(MODEL) | $(ZERO)/knobs $(TOOLS:%=$(BIN)/%) $(filter $(CLOCKWORK),$(INSPECT))
	$(zero_begin)
	@: > $@
$(ZERO)/0000/policy-again:
	$(zero_begin)
# The first critic has seen completions of the base.
$(ZERO)/0000/critic.jsonl: $(ZERO)/0000/metrics.jsonl $(ZERO_DATA)
	head -n $(QUESTIONS) $(ZERO_DATA) | data/import | stages/once 0 | $(call sample_scored,$(ZERO)/0000/policy,-n $(GROUP) --temperature $(TEMPERATURE) --step 0) > $(@D)/critic-data.jsonl
	$(call zero_critic,$(ZERO)/0000/policy,$(ZERO)/0000/critic,$(@D)/critic-data.jsonl) > $@.tmp
	@mv $@.tmp $@
$(ZERO)/0000/critic-again:
	$(call zero_critic,$(ZERO)/0000/policy,$(ZERO)/0000/critic,$(@D)/critic-data.jsonl) > /dev/null

# $(call zero_update,THIS,PREVIOUS): the new checkpoint from this step's completions, metrics on stdout
zero_update = $(LAUNCH)$(BIN)/r1-update -q --model $(ZERO)/$2/policy --output $(ZERO)/$1/policy --loss $(LOSS) --clip $(CLIP) --kl-coef $(KL) \
	  --reference-every $(REF_EVERY) --lr $(LR) --minibatches $(MINIBATCHES) --seed $(SEED) $(TRAIN) $(ZERO)/$1/scored.jsonl
# $(call zero_critic,FROM,TO,DATA): what PPO's critic learns from a step, beside it
zero_critic = $(LAUNCH)$(BIN)/r1-distill -q --objective value --model $1 --output $2 --lr $(or $(CRITIC),0) --schedule constant --batch 64 --seed $(SEED) $(TRAIN) $3
# $(call zero_score,STEP BEFORE,COMPLETIONS): rewards and advantages
zero_score = $(call spread,64,$(REWARD) $(REWARD_OPTIONS) $(MODEL_OPTIONS) $(if $(CRITIC),--value-model $(ZERO)/$1/critic $(COMPUTE)),$2) | \
	  $(BIN)/r1-advantage -q $(if $(CRITIC),-e gae)
# $(call zero_have,STEP): a checkpoint that KEEP removed is made again from what its step left
zero_have = [ -e $(ZERO)/$1/policy/config.json ] || { rm -rf $(ZERO)/$1/policy; $(MAKE) --no-print-directory $(ZERO)/$1/policy-again; }
zero_have_critic = [ -e $(ZERO)/$1/critic/config.json ] || { rm -rf $(ZERO)/$1/critic; $(MAKE) --no-print-directory $(ZERO)/$1/critic-again; }
# Questions that went with the knobs that they were made with (stages/knobs) after make had looked at them
zero_have_questions = [ -e $$< ] || $(MAKE) --no-print-directory -o $(ZERO)/knobs $$<
# $(call zero_drop,STEP): the checkpoints that are KEEP steps old now, unless they were looked at (config.json goes first, so that half of one
# is none). All of them, for a run that was killed may have left some.
zero_drop = for p in $(ZERO)/*/policy; do k=$${p%/policy}; k=$$((10\#$${k\#\#*/})); \
	  if [ $$k -le $$((10\#$1 - $(KEEP))) ] && [ $$((k % $(LOOK_EVERY))) != 0 ]; then rm -rf $$p/config.json $$p; fi; done$(if $(CRITIC),; $(call zero_drop_critics,$1))
zero_drop_critics = for p in $(ZERO)/*/critic; do [ -d $$p ] || continue; k=$${p%/critic}; if [ $$((10\#$${k\#\#*/})) -le $$((10\#$1 - $(KEEP))) ]; then rm -rf $$p/config.json $$p; fi; done
zero_line = "step \(.step)/$(STEPS)  reward \(.reward * 1000 | round / 1000)  accuracy \(.["rewards/accuracy/mean"] | if . then . * 1000 | round / 1000 else "-" end)\
  length \(.["completions/mean_length"] | round)  entropy \(.entropy * 1000 | round / 1000)\(.["completions/sampled"] | if . then "  of \(.) sampled" else "" end)"

# $(call zero_ask,NUMBER): a step's problems, from where the last step's end, round and round, but each once: where there are too few the step is
# smaller. That is said by the first of such steps in a row. Lines that differ, but are one problem by id or text, are left to stages/once.
zero_ask = LC_ALL=C awk -v n=$(QUESTIONS) -v step=$1 'function ask(step, say,   i, k, line, asked) { for (i = 0; i < n; i++) { \
	  line = l[((step - 1) * n + i) % NR + 1]; if (line ~ /[^ \t\r]/ && !asked[line]++) { k++; if (say) print line } } return k + 0 } \
	  NR == 1 { sub(/^\357\273\277/, "") } /[^ \t\r]/ { some = 1 } { l[NR] = $$0 } \
	  END { if (!some) { print FILENAME ": there are no problems in it" > "/dev/stderr"; exit 1 } k = ask(step, 1); \
	    if (k < n && (step == 1 || ask(step - 1, 0) == n)) \
	      print FILENAME ": step " step " has " k " problems, not QUESTIONS=" n ": none is asked twice in a step" > "/dev/stderr" }'

# $(call zero_answers,FOLDER,PREVIOUS,NUMBER): completions of a folder's problems, and their scores. A round may have nothing to ask.
define zero_answers
$1/rollouts.jsonl: $1/questions.jsonl $(ZERO)/$2/metrics.jsonl $(if $(filter $2,$(ZERO_LOOKS)),$(ZERO)/$2/look.json)
	@$(call zero_have,$2)
	@$(zero_have_questions)
	$(if $(dynamic),[ ! -s $$< ] || )$(call sample,$(ZERO)/$2/policy,-n $(GROUP) --temperature $(TEMPERATURE) --step $3) < $$< > $$@.tmp
	@$(if $(dynamic),[ -s $$< ] || : > $$@.tmp; )mv $$@.tmp $$@

$1/scored.jsonl: $1/rollouts.jsonl $(if $(CRITIC),$(ZERO)/$2/critic.jsonl)
	@$(if $(CRITIC),$(call zero_have_critic,$2))
	$$(call zero_score,$2,$$<) > $$@.tmp
	@mv $$@.tmp $$@
endef

# $(call zero_questions,THIS,PREVIOUS,NUMBER): a step's problems
define zero_questions
$(ZERO)/$1/questions.jsonl: $(ZERO_DATA) | $(ZERO)/knobs
	@mkdir -p $$(@D)
	@$$(call zero_ask,$3) $$< | data/import | stages/once $3 > $$@.tmp
	@mv $$@.tmp $$@
$(call zero_answers,$(ZERO)/$1,$2,$3)
endef

# Dynamic sampling. The first round asks QUESTIONS problems, from where the last step's rounds ended; the next as many as had no signal before it,
# and so on. Groups with signal are the step's; a step without any has what it asked first.
ZERO_ROUNDS := $(shell seq 1 $$((1 + $(REFILL))))
zero_signal = no-signal$(patsubst %,$(comma)of=%,$(filter-out 1,$(dynamic)))
zero_rounds = $(ZERO_ROUNDS:%=$(ZERO)/$1/round-%$2)
# $(call zero_round,THIS,PREVIOUS,NUMBER,ROUND,ROUNDS BEFORE IT)
define zero_round
$(ZERO)/$1/round-$4/questions.jsonl: $(ZERO_DATA) $(5:%=$(ZERO)/$1/round-%/scored.jsonl) \
	  $(if $(filter-out 0000,$2),$(lastword $(call zero_rounds,$2,/questions.jsonl))) | $(ZERO)/knobs
	@mkdir -p $$(@D)
	BIN=$(BIN) stages/refill $(zero_signal) $(QUESTIONS) $$< $(lastword $(call zero_rounds,$2)) $(5:%=$(ZERO)/$1/round-%) $$(@D) | data/import | \
	  stages/once $3 $(5:%=$(ZERO)/$1/round-%/questions.jsonl) > $$@.tmp
	@mv $$@.tmp $$@
$(call zero_answers,$(ZERO)/$1/round-$4,$2,$3)

endef
define zero_dynamic
$(foreach r,$(ZERO_ROUNDS),$(call zero_round,$1,$2,$3,$r,$(wordlist 2,$r,0 $(ZERO_ROUNDS))))
$(ZERO)/$1/scored.jsonl: $(call zero_rounds,$1,/scored.jsonl)
	cat $$^ | $(BIN)/r1-filter -q -f $(zero_signal) > $$@.tmp
	@[ -s $$@.tmp ] || { cp $$< $$@.tmp; echo 'step $3: no group of any round gives a signal' >&2; }
	@mv $$@.tmp $$@
endef
# $(call zero_count,STEP): how much was sampled for it, among its metrics
zero_count = n=$$(cat $(call zero_rounds,$1,/rollouts.jsonl) | wc -l) r=$$(find $(call zero_rounds,$1,/rollouts.jsonl) -size +0 | wc -l); \
	  sed -i 's/}$$/,"completions\/sampled":'$$n',"completions\/rounds":'$$r'}/' $@.tmp

# $(call zero_step,THIS,PREVIOUS,NUMBER)
define zero_step
$(call $(if $(dynamic),zero_dynamic,zero_questions),$1,$2,$3)
$(if $(CRITIC),
$(ZERO)/$1/critic.jsonl: $(ZERO)/$1/scored.jsonl
	@$(call zero_have_critic,$2)
	$$(call zero_critic,$(ZERO)/$2/critic,$(ZERO)/$1/critic,$$<) > $$@.tmp
	@mv $$@.tmp $$@
$(ZERO)/$1/critic-again:
	@$(call zero_have_critic,$2)
	$$(call zero_critic,$(ZERO)/$2/critic,$(ZERO)/$1/critic,$(ZERO)/$1/scored.jsonl) > /dev/null
)

$(ZERO)/$1/metrics.jsonl: $(ZERO)/$1/scored.jsonl
	@$(call zero_have,$2)
	$(call zero_update,$1,$2) > $$@.tmp
	$(if $(MPIRUN),@[ -s $$@.tmp ] || { echo '$(MPIRUN): has not written the metrics' >&2; exit 1; })
	$(if $(dynamic),@$$(call zero_count,$1))
	@mv $$@.tmp $$@
	@jq -r '$$(zero_line)' $$@ >&2
	@$$(call zero_drop,$3)

$(ZERO)/$1/policy-again:
	@$(call zero_have,$2)
	$(call zero_update,$1,$2) > /dev/null
endef
$(foreach n,$(shell seq 1 $(STEPS)),$(eval $(call zero_step,$(word $n,$(ZERO_STEPS)),$(word $n,0000 $(ZERO_STEPS)),$n)))

# A number by its value: jq 1.7 writes one that it only passes on as it stood, 0.0, and 1.6 wrote 0.
ZERO_NUMBERS := map(if type == "number" then . + 0 else . end)

$(ZERO)/%/look.json: $(ZERO)/%/metrics.jsonl $(HELDOUT)
	@$(call zero_have,$*)
	$(call evaluate,$(ZERO)/$*/policy,$(LOOK_PROBLEMS),$(LOOK_SAMPLES)) > $(@D)/look.jsonl.tmp
	@mv $(@D)/look.jsonl.tmp $(@D)/look.jsonl
	{ $(if $(INSPECT),$(INSPECT) $(@D)/look.jsonl;) $(EVAL) --json $(@D)/look.jsonl; } | jq -cs --arg step $* 'add | .step = ($$step | tonumber) | $(subst map,map_values,$(ZERO_NUMBERS))' > $@.tmp
	@mv $@.tmp $@

$(ZERO)/%/final.jsonl: $(ZERO)/%/metrics.jsonl $(HELDOUT)
	@$(call zero_have,$*)
	$(call evaluate,$(ZERO)/$*/policy,$(FINAL_PROBLEMS),$(FINAL_SAMPLES)) > $@.tmp
	@$(call zero_drop,$*)
	@mv $@.tmp $@

$(ZERO)/curve.tsv: $(ZERO)/$(ZERO_LAST)/metrics.jsonl FORCE
	@{ printf 'step\treward\taccuracy\tformat\tlength\tentropy\tkl\n'; cat $(ZERO_STEPS:%=$(ZERO)/%/metrics.jsonl) | \
	  jq -r '[.step, .reward, .["rewards/accuracy/mean"], .["rewards/format/mean"], .["completions/mean_length"], .entropy, .kl] | $(ZERO_NUMBERS) | @tsv'; } > $@.tmp
	@mv $@.tmp $@

$(ZERO)/look.tsv: $(ZERO_LOOKS:%=$(ZERO)/%/look.json) FORCE
	@{ printf 'step\tpass@1\tcons\tlength\treflect_rate\treflections\tmixes\tafter_wrong\trepaired\n'; cat $(filter %.json,$^) | \
	  jq -r '[.step, .["pass@1"], .["cons@$(LOOK_SAMPLES)"], .["completions/mean_length"], .reflection_rate, .reflections, .language_mix_rate, .after_wrong_rate, .repair_rate] | map(. // "null") | $(ZERO_NUMBERS) | @tsv'; } > $@.tmp
	@mv $@.tmp $@

$(ZERO)/curve.png: $(ZERO)/curve.tsv $(ZERO)/look.tsv stages/curve.gp
	@if command -v gnuplot > /dev/null; then gnuplot -c stages/curve.gp $(ZERO) $@.tmp && mv $@.tmp $@; else echo 'no gnuplot: no picture' >&2; fi

# Last of all: R1's stages take a run for done that has it.
$(ZERO)/report.txt: $(ZERO)/0000/final.jsonl $(ZERO)/$(ZERO_LAST)/final.jsonl FORCE | $(ZERO)/curve.png
	@$(EVAL) --table $(ZERO)/0000/final.jsonl $(ZERO)/$(ZERO_LAST)/final.jsonl > $@.tmp
	@mv $@.tmp $@

.PHONY: zero zero-help FORCE
.PRECIOUS: $(ZERO)/knobs# which may be another make's
