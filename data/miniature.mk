# The miniature: a world of small problems (world/main.c says which), and a base model raised on text about it.
#
#   run/data/train.jsonl heldout.jsonl     problems, disjoint by hash
#   data/base.tar.zst                      the base model that ships with r1; `make base` makes it again from nothing:
#   run/base/tokenizer.json init text.jsonl.gz early late.jsonl.gz model
#
# knob           default       meaning
MINI          ?= run/data#     folder of the problems
MINI_TRAIN    ?= 20000#        problems to train on
MINI_HELDOUT  ?= 400#          problems to evaluate on
BASE          ?= run/base#     folder to make the base model in
BASE_TEXTS    ?= 400000#       documents to pretrain on
BASE_LATE     ?= 40000#        documents, hastier ones, that it reads last
BASE_LR       ?= 4e-3#         peak learning rate
BASE_LATE_LR  ?= 1e-3#         peak learning rate for the last
BASE_BATCH    ?= 64#           documents an optimizer step
BASE_SEED     ?= 3#            seed of the text and of the initial weights

CLOCKWORK := $B/data/world/clockwork
ifndef BUNDLE
$(CLOCKWORK): $(patsubst %.c,$B/%.o,$(wildcard data/world/*.c)) $B/libr1.a
	$(CC) $(CFLAGS) $(LDFLAGS) $(call carried,../../../..) -o $@ $^ $(LDLIBS)
endif

$(MINI)/train.jsonl: | $(CLOCKWORK)
	@mkdir -p $(@D)
	$(CLOCKWORK) problems --count $(MINI_TRAIN) --seed 1 -o $@

$(MINI)/heldout.jsonl: | $(CLOCKWORK)
	@mkdir -p $(@D)
	$(CLOCKWORK) problems --count $(MINI_HELDOUT) --held-out --seed 1 -o $@

# $(call base_begin,FOLDER,OPTIONS,SIZES,DOCUMENTS): text of a world, a tokenizer trained on it, and a model of those sizes before it reads
define base_begin
$1/tokenizer.json: | $(CLOCKWORK)
	@mkdir -p $$(@D)
	$(CLOCKWORK) tokenizer $2--count 20000 --seed $(BASE_SEED) -o $$@

$1/text.jsonl.gz: | $(CLOCKWORK)
	@mkdir -p $$(@D)
	$(CLOCKWORK) text $2--count $4 --seed $(BASE_SEED) -o $$@

$1/config.json: $3 $1/tokenizer.json
	jq --slurpfile t $1/tokenizer.json '.vocab_size = ([$$$$t[0].model.vocab[], $$$$t[0].added_tokens[].id] | max + 1)' $$< | \
	  jq --slurpfile t $1/tokenizer.json '.eos_token_id = ($$$$t[0].added_tokens[] | select(.content == "<|end|>") | .id)' > $$@.tmp
	@mv $$@.tmp $$@

$1/init/config.json: $1/config.json $1/tokenizer.json | $(BIN)/r1-model
	$(BIN)/r1-model new --force --config $1/config.json --tokenizer $1/tokenizer.json --seed $(BASE_SEED) -o $1/init
endef
$(eval $(call base_begin,$(BASE),,data/base.json,$(BASE_TEXTS)))

$(BASE)/late.jsonl.gz: | $(CLOCKWORK)
	@mkdir -p $(@D)
	$(CLOCKWORK) text --late --count $(BASE_LATE) --seed $(BASE_SEED) -o $@

# Killed and called again, they go on from the last save. Their metrics are the target.
base_pretrain = stages/metrics $@ $2 $(BIN)/r1-distill --resume --save-every 500 --tokens 16384 --model $1 --output $2 --lr $3 --warmup $4 --final-lr 0.02 --beta2 0.95 \
	  --weight-decay 0.05 --batch $(BASE_BATCH) --log-every 100 --seed $(BASE_SEED) $5
$(BASE)/early.jsonl: $(BASE)/init/config.json $(BASE)/text.jsonl.gz | $(BIN)/r1-distill
	$(call base_pretrain,$(BASE)/init,$(BASE)/early,$(BASE_LR),100,$(BASE)/text.jsonl.gz)
$(BASE)/model.jsonl: $(BASE)/early.jsonl $(BASE)/late.jsonl.gz
	$(call base_pretrain,$(BASE)/early,$(BASE)/model,$(BASE_LATE_LR),20,$(BASE)/late.jsonl.gz)

base: $(BASE)/model.jsonl ## make the shipped base model again from nothing, and compare it with data/base.tar.zst
	$(BIN)/r1-model pack --no-optimizer $(BASE)/model -o $(BASE)/base.tar.zst
	@cmp $(BASE)/base.tar.zst data/base.tar.zst && echo "data/base.tar.zst: the same bytes"

# Held-out problems occur neither among those to train on nor in the pretraining text.
check-miniature: $(MINI)/train.jsonl $(MINI)/heldout.jsonl $(BASE)/text.jsonl.gz $(BASE)/late.jsonl.gz ## check that no held-out problem was ever shown to the base
	@jq -r .problem $(MINI)/heldout.jsonl | sort -u > $(BASE)/heldout.txt
	@{ jq -r .problem $(MINI)/train.jsonl; gzip -dc $(BASE)/text.jsonl.gz $(BASE)/late.jsonl.gz | jq -r '.prompt // empty | ltrimstr("User: ") | rtrimstr(" Assistant:")'; } \
	  | sort -u > $(BASE)/shown.txt
	@n=$$(comm -12 $(BASE)/heldout.txt $(BASE)/shown.txt | wc -l); echo "$$(wc -l < $(BASE)/heldout.txt) held-out problems," \
	  "$$(wc -l < $(BASE)/shown.txt) shown ones, $$n in both"; [ "$$n" = 0 ]

.PHONY: base check-miniature
