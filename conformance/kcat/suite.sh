#!/bin/bash
# kcat against one broker. Prints one row per check for the harness:
# ROW<TAB>client<TAB>check<TAB>PASS|FAIL|SKIP<TAB>seconds<TAB>message.
set -u
broker=$1
run=kcat-$(date +%s)
work=$(mktemp -d)
pids=()
trap 'kill -9 "${pids[@]}" 2>/dev/null; rm -rf "$work"' EXIT

kc() { timeout 30 kcat -b "$broker" -X topic.metadata.refresh.interval.ms=1000 "$@"; }

# same WANT GOT WHAT
same() { [ "$1" = "$2" ] || { echo "$3: want [${1:0:120}], got [${2:0:120}]"; return 1; }; }

# until SECONDS WHAT COMMAND...
until_true() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ $SECONDS -lt $deadline ] || { echo "not in time: $what"; return 1; }
    sleep 0.1
  done
}

later_than() { [ "$(date +%s%3N)" -gt $(($1 + 20)) ]; }

# Everything in the topic so far, as FORMAT; kcat ends at the end of the partition.
everything() { kc -C -q -t "$1" -o beginning -e -f "$2"; }

codec() {
  local topic=$run-codec-$1
  seq 1 200 | sed 's/.*/key&:value value value value value value &/' > "$work/in"
  kc -P -t "$topic" -z "$1" -K : -H kind=test -H n=1 -X linger.ms=20 < "$work/in" || return 1
  same "$(sed 's/$/:kind=test,n=1/' "$work/in")" "$(everything "$topic" '%k:%s:%h\n')" records
}

list() {
  kc -P -t "$run-list" <<< one || return 1
  kc -L > "$work/out" || return 1
  grep -q "topic \"$run-list\" with 1 partitions" "$work/out" || { head -c 200 "$work/out"; return 1; }
}

nulls() {
  printf 'dead:\n:empty key\n' | kc -P -t "$run-nulls" -K : -Z || return 1
  same $'4,-1\n-1,9' "$(everything "$run-nulls" '%K,%S\n')" "lengths of keys and values"
}

idempotent() {
  seq 1 500 | kc -P -t "$run-idem" -X enable.idempotence=true -X linger.ms=1 || return 1
  same "$(seq 1 500)" "$(everything "$run-idem" '%s\n')" records
}

from_time() {
  local at
  seq 1 5 | kc -P -t "$run-time" || return 1
  at=$(everything "$run-time" '%T\n' | tail -n 1)
  until_true 5 "the clock moves on" later_than "$at" || return 1
  at=$(date +%s%3N)
  seq 6 9 | kc -P -t "$run-time" || return 1
  same "$(seq 6 9)" "$(kc -C -q -t "$run-time" -o "s@$at" -e -f '%s\n')" "records from the time" || return 1
  same "$run-time [0] offset 5" "$(kc -Q -t "$run-time:0:$at")" "offset of the time"
}

tail_and_offset() {
  seq 1 10 | kc -P -t "$run-tail" || return 1
  same "$(seq 8 10)" "$(kc -C -q -t "$run-tail" -o -3 -e -f '%s\n')" "last three" || return 1
  same "$(seq 5 10)" "$(kc -C -q -t "$run-tail" -o 4 -e -f '%s\n')" "from offset 4"
}

resume() {
  seq 1 40 | kc -P -t "$run-resume" || return 1
  same "$(seq 1 15)" "$(kc -G "$run-resume" -q -c 15 -X auto.offset.reset=earliest -X enable.auto.offset.store=true "$run-resume")" "first visit" || return 1
  # Records of the first visit may have been stored ahead of what -c let through: only losses count.
  kc -G "$run-resume" -q -e -X auto.offset.reset=earliest "$run-resume" > "$work/second"
  local first
  first=$(head -n 1 "$work/second")
  [ "${first:-16}" -gt 1 ] || { echo "the second visit began again at $first"; return 1; }
}

topics=()
for i in 0 1 2 3 4 5; do topics+=("$run-three-$i"); done

# kcat cannot create a topic of six partitions, so the group reads six topics of one.
member() {
  kcat -b "$broker" -G "$run-three" -u -X auto.offset.reset=earliest -X session.timeout.ms=3000 -X heartbeat.interval.ms=500 \
    -X auto.commit.interval.ms=500 -X partition.assignment.strategy=roundrobin -f '%s\n' "${topics[@]}" > "$work/$1" 2> "$work/$1.log" &
  pids+=($!)
}

# How many partitions the newest assignment in a member's log names.
owned() { grep assigned "$work/$1.log" | tail -n 1 | grep -o "$run-three-[0-9] \[0\]" | wc -l; }
each_owns() { local n=$1 m; shift; for m in "$@"; do [ "$(owned "$m")" -eq "$n" ] || return 1; done; }
all_seen() { [ "$(cat "$work"/m? | grep "^$1" | sort -u | wc -l)" -eq 60 ]; }
survivors_saw() { [ "$(cat "$work"/m1 "$work"/m2 | grep "^$1" | sort -u | wc -l)" -eq 60 ]; }

send() {
  local t
  for t in "${topics[@]}"; do seq 1 10 | sed "s/^/$1-${t##*-}-/" | kc -P -t "$t" || return 1; done
}

group() {
  local at=${#pids[@]}
  send a || return 1
  member m1
  member m2
  until_true 30 "two members with 3 partitions each" each_owns 3 m1 m2 || return 1
  until_true 30 "60 records" all_seen a || return 1
  member m3
  until_true 30 "a third member takes 2" each_owns 2 m1 m2 m3 || return 1
  kill -9 "${pids[$((at + 2))]}"
  send b || return 1
  until_true 30 "two take over" each_owns 3 m1 m2 || return 1
  until_true 30 "every record" survivors_saw b || return 1
}

check() {
  local name=$1 start result message
  shift
  [[ $name == *"${ONLY_CHECK:-}"* ]] || return 0
  start=$(date +%s%N)
  "$@" > "$work/message" 2>&1
  result=$?
  message=$(tr -s '\n\t ' ' ' < "$work/message" | head -c 300)
  case $result in 0) result=PASS message= ;; 2) result=SKIP ;; *) result=FAIL ;; esac
  printf 'ROW\tkcat\t%s\t%s\t%s\t%s\n' "$name" $result "$(awk "BEGIN{printf \"%.1f\", ($(date +%s%N)-$start)/1e9}")" "$message"
}

no_admin() { echo "kcat has no admin calls"; return 2; }

check "create topic (auto-creation), list" list
for c in none gzip snappy lz4 zstd; do check "produce and consume $c" codec $c; done
check "null key and value" nulls
check "idempotent producer" idempotent
check "consume from a timestamp" from_time
check "consume from an offset and the tail" tail_and_offset
check "commit and resume" resume
check "group of three, one joins, one is killed" group
check "admin calls" no_admin
