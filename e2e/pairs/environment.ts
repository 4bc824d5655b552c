/** What programs need to be found and to find their own: nothing that is likely to be a secret. */
const PASSED_ON =
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TEMP|TMP|SystemRoot|JAVA_HOME|GO(?:PATH|ROOT|CACHE|MODCACHE|TOOLCHAIN)|(?:PYENV|NVM|RBENV|SDKMAN|VOLTA|FNM)_\w*(?:ROOT|DIR|HOME)|VIRTUAL_ENV|CONDA_PREFIX|DOTNET_ROOT|CARGO_HOME|RUSTUP_HOME|GEM_HOME|XDG_\w+_(?:HOME|DIR))$/;
const DOCKERS = /^(?:DOCKER_\w+|BUILDX_\w+|BUILDKIT_\w+|COMPOSE_PARALLEL_LIMIT|SSH_AUTH_SOCK)$/;

const pick = (names: RegExp) => Object.fromEntries(Object.entries(process.env).filter(([name]) => names.test(name)));

/** The environment of a graded program: only those of the caller's variables that are on a list. */
export const environment = () => pick(PASSED_ON);

/** A build asks Git about the folder that it is given; Git would run what a configuration in that folder names. */
const WITHOUT_GIT = { BUILDX_GIT_INFO: 'false', BUILDX_GIT_LABELS: 'false', GIT_DIR: '/dev/null' };

/** The environment of `docker` when it reads a stranger's file, which gets each variable that it names. */
export const environmentOfDocker = () => ({ ...pick(PASSED_ON), ...pick(DOCKERS), ...WITHOUT_GIT });

/** Removes the proxy that the engine's own configuration would give to each container. */
export const NO_PROXY = Object.fromEntries(
  ['http', 'https', 'ftp', 'no']
    .flatMap((kind) => [`${kind}_proxy`, `${kind}_proxy`.toUpperCase()])
    .map((name) => [name, '']),
);
