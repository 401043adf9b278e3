# Distillation: small models that learn by SFT alone what stage 3's data hold.
#
#   run/students/NAME/base/ base.jsonl      a student before: of the town, raised on some of its text; once, whatever the seed of the rest
#   run/r1/distill/NAME/model/ model.jsonl  and after
#                       before.jsonl final.jsonl        scored completions of held-out problems, before and after
#   run/r1/distill/table.txt                all students, before and after
#
# A checkpoint of one's own: make distill STUDENT=DIR RECIPE=qwen-7b. A recipe is the paper's: two epochs of the data, batches of 64, a cosine
# down to a tenth, and a learning rate by size: qwen-1.5b 1e-4, qwen-7b 8e-5, qwen-14b 7e-5, qwen-32b 6e-5, llama-8b 5e-5, llama-70b 2e-5;
# town is the miniature's, 5e-4.
#
# knob           default                  meaning (the paper's value)
STUDENT       ?=#                         a checkpoint to distill into; none: the students of the town
RECIPE        ?= town#                    recipe (see above)
STUDENTS      ?= qwen-small qwen llama#   students of the town: data/student-NAME.json
STUDENT_BASES ?= run/students#            folder of the students before
STUDENT_TEXTS ?= 150000#                  documents that they were raised on
DISTILL_DATA  ?= $(R1)/rejection-sft/data.jsonl#  what they learn (800k samples)
DISTILL_EPOCHS ?= 2#                      epochs (2 to 3)
DISTILL_BATCH ?= 64#                      samples an optimizer step (64)
DISTILL_LR    ?= $(recipe_$(RECIPE))#     learning rate (by size)
recipe_qwen-1.5b := 1e-4
recipe_qwen-7b := 8e-5
recipe_qwen-14b := 7e-5
recipe_qwen-32b := 6e-5
recipe_llama-8b := 5e-5
recipe_llama-70b := 2e-5
recipe_town := 5e-4
ifneq ($(and $(filter distill,$(MAKECMDGOALS)),$(if $(DISTILL_LR),,none)),)
$(error RECIPE=$(RECIPE): no such recipe; there are $(sort $(patsubst recipe_%,%,$(filter recipe_%,$(.VARIABLES)))))
endif
DISTILL := $(R1)/distill
# With BENCHMARKS: what is left of the data
DISTILL_CLEAN := $(if $(strip $(BENCHMARKS)),$(DISTILL)/data.jsonl,$(DISTILL_DATA))
DISTILL_NAMES := $(if $(STUDENT),$(notdir $(patsubst %/,%,$(STUDENT))),$(STUDENTS))

$(STUDENT_BASES)/text.jsonl.gz: | $(CLOCKWORK)
	@mkdir -p $(@D)
	$(CLOCKWORK) text --world town --count $(STUDENT_TEXTS) --seed 2 -o $@
$(STUDENT_BASES)/teacher/config.json: data/town.tar.zst
	@mkdir -p $(STUDENT_BASES)
	$(BIN)/r1-model unpack -q --force $< -o $(@D)
	@touch $@
# A student of the town: its sizes, the town's tokenizer
$(STUDENT_BASES)/%/base.jsonl: data/student-%.json $(STUDENT_BASES)/teacher/config.json $(STUDENT_BASES)/text.jsonl.gz
	@mkdir -p $(@D)
	jq --slurpfile t $(STUDENT_BASES)/teacher/config.json '. + ($$t[0] | {vocab_size, eos_token_id})' $< > $(@D)/config.json
	$(BIN)/r1-model new -q --force --config $(@D)/config.json --tokenizer $(STUDENT_BASES)/teacher/tokenizer.json --seed $(BASE_SEED) -o $(@D)/init
	$(call base_pretrain,$(@D)/init,$(@D)/base,$(TOWN_LR),100,$(STUDENT_BASES)/text.jsonl.gz)

$(DISTILL)/data.jsonl: $(DISTILL_DATA) $(BENCHMARKS)
	@mkdir -p $(@D)
	cat $<$(CLEAN) > $@.tmp
	@mv $@.tmp $@

# A student is known by the last part of its path: its knobs tell it from others.
STUDENT_FIRST = $(call first,STUDENT,before.jsonl) $(call first,STUDENT DISTILL_DATA DISTILL_EPOCHS DISTILL_BATCH DISTILL_LR BENCHMARKS,model model.jsonl)
student_value = $(if $(filter STUDENT DISTILL_DATA,$1),$(abspath $($1)),$($1))
define distill_student
$(DISTILL)/$1/knobs: FORCE | $(R1)/knobs
	@mkdir -p $$(@D)
	@$$(call now,$$(call knobs_of,$$(STUDENT_FIRST)),student_value) > $$@.now
	@stages/knobs $$(@D) R1 $$(STUDENT_FIRST)
$(DISTILL)/$1/model.jsonl: $(if $(STUDENT),$(STUDENT),$(STUDENT_BASES)/$1/base.jsonl) $(DISTILL_CLEAN) | $(DISTILL)/$1/knobs
	$$(call r1_sft,$(if $(STUDENT),$(STUDENT),$(STUDENT_BASES)/$1/base),$(DISTILL)/$1/model,$(DISTILL_CLEAN),--epochs $(DISTILL_EPOCHS) --batch $(DISTILL_BATCH) \
	  --lr $(DISTILL_LR) --max-tokens 32768)
$(DISTILL)/$1/before.jsonl: $(if $(STUDENT),$(STUDENT),$(STUDENT_BASES)/$1/base.jsonl) $(R1)/data/heldout.jsonl | $(DISTILL)/$1/knobs
	$$(call r1_final,$(if $(STUDENT),$(STUDENT),$(STUDENT_BASES)/$1/base))
$(DISTILL)/$1/final.jsonl: $(DISTILL)/$1/model.jsonl $(R1)/data/heldout.jsonl
	$$(call r1_final,$(DISTILL)/$1/model)
endef
$(foreach s,$(DISTILL_NAMES),$(eval $(call distill_student,$s)))

# Of the students that are asked for, which may be others than last time
$(DISTILL)/table.txt: $(DISTILL_NAMES:%=$(DISTILL)/%/before.jsonl) $(DISTILL_NAMES:%=$(DISTILL)/%/final.jsonl) stages/table FORCE
	@stages/table $(foreach s,$(DISTILL_NAMES),'$s'=$(DISTILL)/$s/before.jsonl ' +distilled'=$(DISTILL)/$s/final.jsonl) > $@.tmp
	@mv $@.tmp $@

distill: $(DISTILL)/table.txt ## distil stage 3's data into small models (STUDENT=DIR RECIPE=NAME; knobs: make r1-help)
	@cat $<

.PHONY: distill
.PRECIOUS: $(STUDENT_BASES)/%/base.jsonl
