/** Names from a working-group draft (wire.md §3.4), in one module because they may change with it. */
export const GRANT_DEFERRED = 'urn:ietf:params:oauth:grant-type:deferred';
export const PARAM_COMPLETION_MODE = 'completion_mode';
export const COMPLETION_DEFERRED = 'deferred';
export const PARAM_DEFERRAL_CODE = 'deferral_code';
