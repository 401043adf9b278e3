# Draws a run's curve.  gnuplot -c curve.gp RUN PICTURE    RUN/curve.tsv and RUN/look.tsv are what stages/zero.mk makes of the metrics;
# PICTURE ends in .png, or is '-' for a drawing in characters on stdout.
run = ARG1
picture = ARG2
text = picture eq '-'
set datafile separator "\t"
set datafile missing "null"
curve = run.'/curve.tsv'
look = run.'/look.tsv'
set key autotitle columnhead
stats curve using 1 name 'step' nooutput
stats look using 6 name 'times' nooutput
if (text) {
	set terminal dumb size 76, 15 noenhanced
	set tics nomirror
	set key top left Left reverse samplen 1
	unset xlabel
	# some room on all sides: a character on the border would not be seen
	stats curve using 5 name 'length' nooutput
	top = times_max > 1 ? times_max : 1
	set xrange [-0.03 * step_max:1.03 * step_max]
	set yrange [-0.1:1.1]
	set ytics 0.2
	set title 'held-out problems over steps: pass@1 (p), majority vote (c, hides p)'
	set format y '%4.2f'
	plot look using 1:2 with points pt 'p' notitle, look using 1:3 with points pt 'c' notitle
	set yrange [0:1.1 * length_max]
	set ytics autofreq
	set title 'mean length of a completion, tokens'
	set format y '%4.0f'
	plot curve using 1:5 smooth bezier with points pt '*' notitle
	set yrange [-0.1 * top:1.1 * top]
	set title 'completions with a reflection (r) and reflections a completion (n)'
	set format y '%4.2f'
	plot look using 1:5 with points pt 'r' notitle, look using 1:6 with points pt 'n' notitle
} else {
	inspected = int(system("awk -F'\t' 'NR > 1 && $8 != \"null\"' '".look."' | wc -l")) # what reflections follow and do: null, if no INSPECT said
	set terminal pngcairo noenhanced size 1200, 1080 font 'Sans,10'
	set output picture
	set multiplot layout 3, 2 title run
	set grid lc rgb '#dddddd'
	set key bottom right
	set xlabel 'step'
	set xrange [0:step_max]
	set yrange [0:1.03]
	set title 'Accuracy'
	plot curve using 1:3 with lines lc rgb '#bbccee' title 'training rollouts', \
	     look using 1:2 with linespoints lc rgb '#1f4e9c' lw 2 pt 7 ps 0.6 title 'held-out pass@1', \
	     look using 1:3 with linespoints lc rgb '#c0392b' lw 2 pt 5 ps 0.6 title 'held-out majority vote'
	set yrange [0:*]
	set title 'Length of a completion (tokens)'
	plot curve using 1:5 with lines lc rgb '#bbddbb' title 'training rollouts', \
	     look using 1:4 with linespoints lc rgb '#1e7b34' lw 2 pt 7 ps 0.6 title 'held-out'
	set title 'Parts of the reward (mean)'
	plot curve using 1:3 with lines lc rgb '#1f4e9c' title 'accuracy', curve using 1:4 with lines lc rgb '#e67e22' title 'format'
	set title 'Entropy and KL (nats a token)'
	set key top right
	plot curve using 1:6 with lines lc rgb '#7d3c98' title 'entropy', curve using 1:7 with lines lc rgb '#c0392b' title 'KL to the reference'
	set key bottom right
	set title 'Reflections'
	if (times_max == 0) { set yrange [0:1] }
	plot look using 1:6 with linespoints lc rgb '#117a65' lw 2 pt 7 ps 0.6 title 'a completion', \
	     look using 1:5 with linespoints lc rgb '#aaaaaa' lw 2 pt 5 ps 0.6 title 'completions with one'
	set yrange [0:1.03]
	if (inspected) {
		set title 'Reflections: what they follow, what they do (share)'
		plot look using 1:8 with linespoints lc rgb '#c0392b' lw 2 pt 7 ps 0.6 title 'after a wrong value', \
		     look using 1:9 with linespoints lc rgb '#1e7b34' lw 2 pt 5 ps 0.6 title 'of those, repaired', \
		     look using 1:7 with linespoints lc rgb '#b7950b' lw 2 pt 9 ps 0.6 title 'completions that mix languages'
	} else {
		set title 'Completions that mix languages (share)'
		plot look using 1:7 with linespoints lc rgb '#b7950b' lw 2 pt 9 ps 0.6 notitle
	}
	unset multiplot
}
