#!/bin/sh
# Installs what is missing for the named purposes and nothing else; does nothing, and needs no
# network, once all is there: scripts/install_dependencies.sh build|plots|test|clang|lint|coverage ...
set -eu

# One line per thing: purpose, required or optional, how to see that it is there, and its package
# in Debian, Fedora, Arch and Homebrew ("-" where it comes with the system).
table='
build    required command:cc             build-essential      gcc                   base-devel      -
build    required command:cmake          cmake                cmake                 cmake           cmake
build    required command:pkg-config     pkg-config           pkgconf               pkgconf         pkg-config
build    required module:jansson         libjansson-dev       jansson-devel         jansson         jansson
build    optional command:ninja          ninja-build          ninja-build           ninja           ninja
build    optional module:libcurl         libcurl4-openssl-dev libcurl-devel         curl            curl
build    optional module:fontconfig      libfontconfig-dev    fontconfig-devel      fontconfig      fontconfig
build    optional module:hwloc           libhwloc-dev         hwloc-devel           hwloc           hwloc
plots    optional command:gnuplot        gnuplot-nox          gnuplot-minimal       gnuplot         gnuplot
plots    optional font:wqy-microhei      fonts-wqy-microhei   wqy-microhei-fonts    wqy-microhei    -
test     required module:cmocka          libcmocka-dev        libcmocka-devel       cmocka          cmocka
test     optional file:/usr/share/i18n/locales/de_DE locales  glibc-locale-source   glibc           -
test     optional command:c++            g++                  gcc-c++               gcc             -
test     optional command:python3        python3              python3               python          python
clang    optional command:clang          clang                clang                 clang           llvm
clang    optional library:fuzzer         libclang-rt-dev      compiler-rt           compiler-rt     -
lint     optional command:clang-format   clang-format         clang-tools-extra     clang           clang-format
lint     optional command:clang-tidy     clang-tidy           clang-tools-extra     clang           llvm
coverage optional command:gcovr          gcovr                gcovr                 gcovr           gcovr
'

any_exists() {
    for path in "$@"; do
        [ -e "$path" ] && return 0
    done
    return 1
}

is_there() {
    case $1 in
    command:*) command -v "${1#command:}" >/dev/null 2>&1 ;;
    module:*) pkg-config --exists "${1#module:}" 2>/dev/null ;;
    file:*) [ -e "${1#file:}" ] ;;
    font:*) any_exists /usr/share/fonts/*/*/"${1#font:}"* /usr/share/fonts/*/"${1#font:}"* ;;
    library:*) any_exists /usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt."${1#library:}"* \
        /usr/lib/clang/*/lib/linux/libclang_rt."${1#library:}"* ;;
    esac
}

purposes=" $* "
manager=none
column=0
if command -v apt-get >/dev/null 2>&1; then
    manager=apt column=4
elif command -v dnf >/dev/null 2>&1; then
    manager=dnf column=5
elif command -v pacman >/dev/null 2>&1; then
    manager=pacman column=6
elif command -v brew >/dev/null 2>&1; then
    manager=brew column=7
fi

# Prints the missing lines of the table that are asked for.
missing() {
    printf '%s\n' "$table" | while read -r purpose need check rest; do
        case $purposes in *" $purpose "*) ;; *) continue ;; esac
        is_there "$check" || echo "$purpose $need $check $rest"
    done
}

wanted=$(missing)
[ -n "$wanted" ] || exit 0

if [ "$manager" = none ]; then
    packages=$(printf '%s\n' "$wanted" | awk '{print $4}' | sort -u | tr '\n' ' ')
    echo "These are missing (Debian's names): $packages" >&2
else
    packages=$(printf '%s\n' "$wanted" | awk -v c="$column" '$c != "-" {print $c}' | sort -u | tr '\n' ' ')
fi
packages=${packages% }

case $manager in
apt) line="apt-get install -y --no-install-recommends $packages" ;;
dnf) line="dnf install -y $packages" ;;
pacman) line="pacman -S --needed --noconfirm $packages" ;;
brew) line="brew install $packages" ;;
none) line="" ;;
esac

if [ "$manager" = apt ]; then
    root=
    if [ "$(id -u)" != 0 ]; then
        if command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
            root="sudo"
        else
            root=no
        fi
    fi
    if [ "$root" = no ]; then
        echo "Missing packages, and neither root nor sudo here. Install them with:" >&2
        echo "  sudo $line" >&2
    else
        echo "Installing: $packages" >&2
        install() {
            # shellcheck disable=SC2086 # a list of words, on purpose
            $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
                --no-install-recommends $packages >&2
        }
        # The lists may be absent or old: fetch them once, and only if installing needs it.
        install || { $root apt-get update -q >&2 && install; } ||
            echo "Installing failed. By hand: sudo $line" >&2
    fi
elif [ -n "$line" ]; then
    echo "Missing packages. Install them with:" >&2
    [ "$manager" = brew ] && echo "  $line" >&2 || echo "  sudo $line" >&2
fi

still=$(missing)
needed=$(printf '%s\n' "$still" | awk '$2 == "required" {print $4}' | tr '\n' ' ')
if [ -n "${needed% }" ]; then
    echo "Cannot go on without: $needed" >&2
    exit 1
fi
left=$(printf '%s\n' "$still" | awk 'NF {print $4}' | tr '\n' ' ')
[ -z "${left% }" ] || echo "Going on without: $left" >&2
