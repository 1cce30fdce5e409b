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
    local cur words cword value files=
    if declare -F _get_comp_words_by_ref >/dev/null; then
        _get_comp_words_by_ref -n : cur words cword
    else
        cur=\${COMP_WORDS[COMP_CWORD]} words=("\${COMP_WORDS[@]}") cword=$COMP_CWORD
    fi
    COMPREPLY=()
    while IFS=$'\\t' read -r value _; do
        if [[ $value == :files ]]; then files=1; else COMPREPLY+=("$value"); fi
    done < <("\${words[0]}" __complete -- "\${words[@]:1:cword}" 2>/dev/null)
    [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == *: ]] && compopt -o nospace
    if [[ -n $files ]]; then
        compopt -o filenames
        while IFS= read -r value; do COMPREPLY+=("$value"); done < <(compgen -f -- "$cur")
    fi
    if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "$cur"; fi
}
complete -F _yard yard
`;

const zsh = `#compdef yard
# zsh completion for yard: eval "$(yard completion zsh)", or as _yard in a folder of $fpath
_yard() {
    local -a lines candidates
    local line files
    lines=("\${(@f)$("\${words[1]}" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
    for line in "\${lines[@]}"; do
        if [[ $line == :files ]]; then
            files=1
        elif [[ -n $line ]]; then
            candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
        fi
    done
    (( \${#candidates} )) && _describe -V yard candidates
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
