namespace Blixard.MicroVm.Guarding;

/// <summary>
/// The guard, and the start of a process under it, as programs for any POSIX shell. Both work in the guard's directory: <c>deadline</c>
/// (<see cref="GuardDeadline"/>), <c>pid</c> (process id and start time of the guard), <c>watched/PID-START</c> for each process, with
/// the directory of its VM in it. The start time (proc(5), field 22) tells a process from a later one with the same id.
/// </summary>
internal static class GuardScript
{
    /// <summary>Left in a VM's directory when the guard ended the VM.</summary>
    public const string MarkName = "fenced";

    /// <summary>How often the guard looks.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// The guard; $0 is its directory. It looks at the deadline four times a second; once it has passed, it kills what it watches, again
    /// and again until nothing of it is left, and ends. Before it ends it takes its pid away and looks once more: whoever has moved the
    /// deadline meanwhile either is seen, or sees that there is no guard. Entries of processes that ended are swept every 4 s.
    /// A redirection that fails ends some shells if the command is a special one such as ':', hence printf.
    /// </summary>
    public const string Guard = """
        cd "$0" || exit 1
        umask 077
        field() { shift 19; start=$1; }
        identify() {
            start= line=
            { read -r line <"/proc/$1/stat"; } 2>/dev/null
            rest=${line##*) }
            case $rest in ''|Z*|X*) return;; esac
            field $rest
        }
        announce() { identify $$; printf '%s %s\n' "$$" "$start" >pid; }
        unreadable=0
        look() {
            first= second= expired=0
            { read -r first second rest <deadline; } 2>/dev/null
            read -r up rest </proc/uptime
            now=${up%.*}${up#*.}
            if [ -n "$first" ] && [ "$first" = "${second:-}" ]; then
                unreadable=0
                if [ "$now" -ge "$first" ]; then expired=1; fi
            else
                unreadable=$((unreadable + 1))
                if [ "$unreadable" -ge 3 ]; then expired=1; fi
            fi
        }
        announce
        round=0
        while :; do
            look
            round=$((round + 1))
            if [ "$expired" = 1 ] || [ "$round" -ge 16 ]; then
                round=0 left=0
                for entry in watched/*; do
                    id=${entry#watched/}
                    identify "${id%-*}"
                    if [ "$start" = "${id#*-}" ]; then
                        left=1
                        if [ "$expired" = 1 ]; then kill -9 "${id%-*}"; fi
                    elif [ -f "$entry" ]; then
                        rm -f "$entry"
                    fi
                done
                if [ "$expired" = 1 ]; then
                    for entry in watched/*; do
                        vm=
                        { read -r vm <"$entry"; } 2>/dev/null
                        if [ -d "$vm" ]; then printf '' >"$vm/fenced"; fi
                    done
                    if [ "$left" = 0 ]; then
                        rm -f pid
                        look
                        if [ "$expired" = 1 ]; then exit 0; fi
                        announce
                    fi
                fi
            fi
            sleep 0.25
        done
        """;

    /// <summary>
    /// Starts a process under the guard: $0 is the file of its output, $1 the guard's directory, $2 the generation under which the start
    /// was allowed, $3 the VM's directory, the rest the command. The process is watched before it runs, and it only runs if the deadline
    /// is of that generation and ahead: from then on it is the guard's.
    /// </summary>
    public const string Launch = """
        umask 077
        exec </dev/null >"$0" 2>&1
        guard=$1 allowed=$2 vm=$3
        shift 3
        field() { shift 19; start=$1; }
        read -r line </proc/self/stat
        field ${line##*) }
        entry=$guard/watched/$$-$start
        printf '%s\n' "$vm" >"$entry" || exit 1
        first= second= generation=
        read -r first second generation rest <"$guard/deadline"
        read -r up rest </proc/uptime
        if [ -n "$first" ] && [ "$first" = "$second" ] && [ "$generation" = "$allowed" ] && [ "${up%.*}${up#*.}" -lt "$first" ]; then
            exec setsid "$@"
        fi
        rm -f "$entry"
        echo "the node's lease ran out while the VM was being started"
        exit 1
        """;
}
