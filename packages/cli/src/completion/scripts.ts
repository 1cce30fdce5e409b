export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** The script that makes a shell ask `yard __complete` for the words after `yard`. */
export function completionScript(shell: Shell): string {
  switch (shell) {
    case "bash":
      return bash;
    case "zsh":
      return zsh;
    case "fish":
      return fish;
  }
}

// A candidate a line, its meaning behind a tab; the line `:files` stands for names of files.
const bash = `# bash completion for yard: eval "$(yard completion bash)"
_yard() {
    local cur words cword value kept files= before=\${COMP_LINE:0:COMP_POINT}
    if [[ -n $before ]]; then
        # COMP_WORDS is parted at colons and equals signs, too.
        read -ra words <<<"$before"
        [[ $before == *[[:blank:]] ]] && words+=("")
        cword=$((\${#words[@]} - 1))
    else
        words=("\${COMP_WORDS[@]}") cword=$COMP_CWORD
    fi
    cur=\${words[cword]}
    COMPREPLY=()
    while IFS=$'\\t' read -r value _; do
        if [[ $value == :files ]]; then files=1; else COMPREPLY+=("$value"); fi
    done < <("\${words[0]}" __complete -- "\${words[@]:1:cword}" 2>/dev/null)
    [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *[:=] ]] && compopt -o nospace
    if [[ -n $files ]]; then
        compopt -o filenames
        while IFS= read -r value; do COMPREPLY+=("$value"); done < <(compgen -f -- "$cur")
    fi
    # What is put in stands in place of what follows the last of those signs.
    if [[ $cur == *[:=]* && $COMP_WORDBREAKS == *:* ]]; then
        kept=\${cur%"\${cur##*[:=]}"}
        for value in "\${!COMPREPLY[@]}"; do COMPREPLY[value]=\${COMPREPLY[value]#"$kept"}; done
    fi
}
complete -F _yard yard
`;

const zsh = `#compdef yard
# zsh completion for yard: eval "$(yard completion zsh)", or as _yard in a folder of $fpath
_yard() {
    local -a lines candidates open
    local line files
    lines=("\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
    for line in "\${lines[@]}"; do
        if [[ $line == :files ]]; then
            files=1
        elif [[ $line == *[:=]$'\\t'* ]]; then
            # More is to be typed behind it.
            open+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
        elif [[ -n $line ]]; then
            candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
        fi
    done
    (( \${#candidates} )) && _describe -V yard candidates
    (( \${#open} )) && _describe -V yard open -S ''
    [[ -n $files ]] && _files
    return 0
}
if [[ \${funcstack[1]} == _yard ]]; then _yard "$@"; else compdef _yard yard; fi
`;

const fish = `# fish completion for yard: yard completion fish | source
function __yard_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    command $words[1] __complete -- $words[2..-1] "$current" 2>/dev/null
end
complete -c yard -f
complete -c yard -a '(__yard_complete | string match -v ":files")'
complete -c yard -n '__yard_complete | string match -q ":files"' -F
`;
