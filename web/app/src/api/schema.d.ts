// Made by `npm run api:generate` from docs/openapi.json. Do not edit.

export interface paths {
    "/.well-known/jwks.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The public keys of access tokens, as a JSON Web Key Set
         * @description A token that one of them verifies may be of a session that has ended since: ask the API where that matters.
         *
         *     For anyone.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "keys": [
                         *         {
                         *           "alg": "EdDSA",
                         *           "crv": "Ed25519",
                         *           "kid": "Qmjcwmxq",
                         *           "kty": "OKP",
                         *           "use": "sig",
                         *           "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
                         *         }
                         *       ]
                         *     }
                         */
                        "application/json": components["schemas"]["KeysAnswer"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/config/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What clients need to know of this installation
         * @description For anyone.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "admin_refresh_seconds": 10,
                         *       "away_after_seconds": 300,
                         *       "heartbeat_interval_seconds": 30,
                         *       "inactivity_timeout_seconds": 120,
                         *       "registration": "open",
                         *       "timeout_max_seconds": 3600,
                         *       "timeout_min_seconds": 120,
                         *       "version": "0.1.0"
                         *     }
                         */
                        "application/json": components["schemas"]["ConfigAnswer"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/contacts/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One's contacts, requests of both kinds, and whom one has blocked, with their presence
         * @description For whoever is logged in.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "contacts": [
                         *         {
                         *           "id": 3,
                         *           "notify": "once",
                         *           "presence": {
                         *             "availability": "available",
                         *             "emoji": "☕",
                         *             "last_seen": "2026-01-01T12:00:00.000Z",
                         *             "online_status": "online",
                         *             "online_until": "2026-01-01T12:02:00.000Z",
                         *             "reason": "heartbeat",
                         *             "text": "In a meeting",
                         *             "user_id": 2
                         *           },
                         *           "since": "2026-01-01T12:00:00.000Z",
                         *           "state": "accepted",
                         *           "user_id": 3,
                         *           "username": "bob"
                         *         }
                         *       ]
                         *     }
                         */
                        "application/json": components["schemas"]["ContactsAnswer"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        /**
         * Ask a user to be a contact; accepts at once where it has asked already
         * @description For whoever is logged in.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    /**
                     * @example {
                     *       "user_id": 3
                     *     }
                     */
                    "application/json": components["schemas"]["ContactBody"];
                };
            };
            responses: {
                /** @description Created */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "contact": {
                         *         "id": 3,
                         *         "notify": "once",
                         *         "presence": {
                         *           "availability": "available",
                         *           "emoji": "☕",
                         *           "last_seen": "2026-01-01T12:00:00.000Z",
                         *           "online_status": "online",
                         *           "online_until": "2026-01-01T12:02:00.000Z",
                         *           "reason": "heartbeat",
                         *           "text": "In a meeting",
                         *           "user_id": 2
                         *         },
                         *         "since": "2026-01-01T12:00:00.000Z",
                         *         "state": "accepted",
                         *         "user_id": 3,
                         *         "username": "bob"
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["ContactAnswer"];
                    };
                };
                /** @description `bad_request`, `malformed_json` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `user_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `already_contact`, `user_blocked`, `too_many_contacts` */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `body_too_large` */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `unsupported_media_type` */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/contacts/{id}/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Remove a contact, withdraw or decline a request, or unblock
         * @description For whoever is logged in.
         */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The other user's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description No Content */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `contact_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/contacts/{id}/accept/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Accept a user's request
         * @description For whoever is logged in.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The other user's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "contact": {
                         *         "id": 3,
                         *         "notify": "once",
                         *         "presence": {
                         *           "availability": "available",
                         *           "emoji": "☕",
                         *           "last_seen": "2026-01-01T12:00:00.000Z",
                         *           "online_status": "online",
                         *           "online_until": "2026-01-01T12:02:00.000Z",
                         *           "reason": "heartbeat",
                         *           "text": "In a meeting",
                         *           "user_id": 2
                         *         },
                         *         "since": "2026-01-01T12:00:00.000Z",
                         *         "state": "accepted",
                         *         "user_id": 3,
                         *         "username": "bob"
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["ContactAnswer"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `contact_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_contacts` */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/contacts/{id}/block/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Block a user, whatever it is: neither sees the other online any more, and it is not told
         * @description For whoever is logged in.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The other user's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "contact": {
                         *         "id": 3,
                         *         "notify": "once",
                         *         "presence": {
                         *           "availability": "available",
                         *           "emoji": "☕",
                         *           "last_seen": "2026-01-01T12:00:00.000Z",
                         *           "online_status": "online",
                         *           "online_until": "2026-01-01T12:02:00.000Z",
                         *           "reason": "heartbeat",
                         *           "text": "In a meeting",
                         *           "user_id": 2
                         *         },
                         *         "since": "2026-01-01T12:00:00.000Z",
                         *         "state": "accepted",
                         *         "user_id": 3,
                         *         "username": "bob"
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["ContactAnswer"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `user_not_found`, `contact_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_contacts` */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/contacts/{id}/decline/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Decline a user's request
         * @description For whoever is logged in.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The other user's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description No Content */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `contact_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/contacts/{id}/notify/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Say when to be told that a contact comes online
         * @description For whoever is logged in.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The other user's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    /**
                     * @example {
                     *       "when": "once"
                     *     }
                     */
                    "application/json": components["schemas"]["NotifyBody"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "contact": {
                         *         "id": 3,
                         *         "notify": "once",
                         *         "presence": {
                         *           "availability": "available",
                         *           "emoji": "☕",
                         *           "last_seen": "2026-01-01T12:00:00.000Z",
                         *           "online_status": "online",
                         *           "online_until": "2026-01-01T12:02:00.000Z",
                         *           "reason": "heartbeat",
                         *           "text": "In a meeting",
                         *           "user_id": 2
                         *         },
                         *         "since": "2026-01-01T12:00:00.000Z",
                         *         "state": "accepted",
                         *         "user_id": 3,
                         *         "username": "bob"
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["ContactAnswer"];
                    };
                };
                /** @description `bad_request`, `malformed_json` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `contact_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `body_too_large` */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `unsupported_media_type` */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/notifications/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One's own notifications
         * @description For whoever is logged in.
         */
        get: {
            parameters: {
                query?: {
                    /** @description true for those that have not been read only */
                    unread?: boolean;
                    /** @description 1 to 1000, 50 without it */
                    limit?: number;
                    /** @description The page before's `next_cursor`; without it the first page */
                    cursor?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "next_cursor": null,
                         *       "notifications": [
                         *         {
                         *           "at": "2026-01-01T12:00:00.000Z",
                         *           "id": 5,
                         *           "kind": "online",
                         *           "read_at": null,
                         *           "user_id": 2,
                         *           "username": "ann"
                         *         }
                         *       ],
                         *       "unread": 1
                         *     }
                         */
                        "application/json": components["schemas"]["NotificationsAnswer"];
                    };
                };
                /** @description `invalid_query`, `invalid_cursor` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/notifications/read-all/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Mark all of one's notifications as read
         * @description For whoever is logged in.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description No Content */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/notifications/{id}/read/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Mark a notification as read
         * @description For whoever is logged in.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The notification's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "notification": {
                         *         "at": "2026-01-01T12:00:00.000Z",
                         *         "id": 5,
                         *         "kind": "online",
                         *         "read_at": null,
                         *         "user_id": 2,
                         *         "username": "ann"
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["NotificationAnswer"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `notification_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/active/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How many users were active, day by day
         * @description For admins.
         */
        get: {
            parameters: {
                query?: {
                    /** @description How many days, 1 to 366; 30 without it */
                    days?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description As CSV where `Accept` is `text/csv` */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "points": [
                         *         {
                         *           "daily": 120,
                         *           "day": "2026-01-01",
                         *           "monthly": 512,
                         *           "weekly": 310
                         *         }
                         *       ]
                         *     }
                         */
                        "application/json": components["schemas"]["ActiveAnswer"];
                        "text/csv": string;
                    };
                };
                /** @description `invalid_query` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/heatmap/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How many users are online at which hour of which weekday
         * @description For admins.
         */
        get: {
            parameters: {
                query?: {
                    /** @description RFC 3339; without it four weeks before `to` */
                    from?: string;
                    /** @description RFC 3339; without it now */
                    to?: string;
                    /** @description Whose hours: a name such as `Europe/Berlin`; UTC without it */
                    tz?: string;
                    /** @description Of one platform alone */
                    platform?: "web" | "ios" | "android" | "windows" | "macos" | "linux" | "other";
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description As CSV where `Accept` is `text/csv` */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "cells": [
                         *         {
                         *           "hour": 9,
                         *           "mean_online": 3.5,
                         *           "weekday": 1
                         *         }
                         *       ]
                         *     }
                         */
                        "application/json": components["schemas"]["HeatmapAnswer"];
                        "text/csv": string;
                    };
                };
                /** @description `invalid_query` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/now/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How many accounts there are, and how many users the caller sees online
         * @description For admins.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description As CSV where `Accept` is `text/csv` */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "by_availability": {
                         *         "available": 1,
                         *         "away": 0,
                         *         "dnd": 0
                         *       },
                         *       "by_status": {
                         *         "active": 2,
                         *         "banned": 0,
                         *         "inactive": 0,
                         *         "pending": 0,
                         *         "suspended": 1
                         *       },
                         *       "online": 1,
                         *       "total": 3
                         *     }
                         */
                        "application/json": components["schemas"]["NowAnswer"];
                        "text/csv": string;
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/online/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How many users were online, step by step
         * @description For admins.
         */
        get: {
            parameters: {
                query?: {
                    /** @description RFC 3339; without it a day before `to` */
                    from?: string;
                    /** @description RFC 3339; without it now */
                    to?: string;
                    /** @description `minute`, `hour` or `day`; `hour` without it */
                    step?: "minute" | "hour" | "day";
                    /** @description Whose hours and days: a name such as `Europe/Berlin`; UTC without it */
                    tz?: string;
                    /** @description Of one platform alone */
                    platform?: "web" | "ios" | "android" | "windows" | "macos" | "linux" | "other";
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description As CSV where `Accept` is `text/csv` */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "peak": {
                         *         "at": "2026-01-01T12:00:00.000Z",
                         *         "online": 57
                         *       },
                         *       "points": [
                         *         {
                         *           "at": "2026-01-01T12:00:00.000Z",
                         *           "logins": 12,
                         *           "online": 41.25,
                         *           "peak": 57
                         *         }
                         *       ]
                         *     }
                         */
                        "application/json": components["schemas"]["OnlineAnswer"];
                        "text/csv": string;
                    };
                };
                /** @description `invalid_query` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/platforms/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Where users are online: by platform
         * @description For admins.
         */
        get: {
            parameters: {
                query?: {
                    /** @description RFC 3339; without it four weeks before `to` */
                    from?: string;
                    /** @description RFC 3339; without it now */
                    to?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description As CSV where `Accept` is `text/csv` */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "platforms": [
                         *         {
                         *           "logins": 12,
                         *           "mean_online": 3.5,
                         *           "mean_seconds": 1500.5,
                         *           "median_seconds": 610.25,
                         *           "peak": 57,
                         *           "platform": "web",
                         *           "sessions": 640
                         *         }
                         *       ]
                         *     }
                         */
                        "application/json": components["schemas"]["PlatformsAnswer"];
                        "text/csv": string;
                    };
                };
                /** @description `invalid_query` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/sessions/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How long users stay online
         * @description For admins.
         */
        get: {
            parameters: {
                query?: {
                    /** @description RFC 3339; without it four weeks before `to` */
                    from?: string;
                    /** @description RFC 3339; without it now */
                    to?: string;
                    /** @description Of one platform alone */
                    platform?: "web" | "ios" | "android" | "windows" | "macos" | "linux" | "other";
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description As CSV where `Accept` is `text/csv` */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "count": 900,
                         *       "lengths": [
                         *         {
                         *           "count": 31,
                         *           "from_seconds": 0,
                         *           "to_seconds": 60
                         *         }
                         *       ],
                         *       "mean_seconds": 1500.5,
                         *       "median_seconds": 610.25
                         *     }
                         */
                        "application/json": components["schemas"]["SessionsAnswer"];
                        "text/csv": string;
                    };
                };
                /** @description `invalid_query` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/stats/statuses/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Online users by availability and accounts by status, step by step: means of samples
         * @description For admins.
         */
        get: {
            parameters: {
                query?: {
                    /** @description RFC 3339; without it a day before `to` */
                    from?: string;
                    /** @description RFC 3339; without it now */
                    to?: string;
                    /** @description `hour` or `day`; `hour` without it */
                    step?: "hour" | "day";
                    /** @description Whose hours and days: a name such as `Europe/Berlin`; UTC without it */
                    tz?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description As CSV where `Accept` is `text/csv` */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "points": [
                         *         {
                         *           "at": "2026-01-01T12:00:00.000Z",
                         *           "by_availability": {
                         *             "available": 30.5,
                         *             "away": 8.25,
                         *             "dnd": 2.5
                         *           },
                         *           "by_status": {
                         *             "active": 812,
                         *             "banned": 1,
                         *             "inactive": 4,
                         *             "pending": 9,
                         *             "suspended": 2
                         *           }
                         *         }
                         *       ]
                         *     }
                         */
                        "application/json": components["schemas"]["StatusesAnswer"];
                        "text/csv": string;
                    };
                };
                /** @description `invalid_query` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Make an account
         * @description For admins.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    /**
                     * @example {
                     *       "email": "ann@example.org",
                     *       "password": "correct horse battery",
                     *       "role": "user",
                     *       "status": "active",
                     *       "username": "ann"
                     *     }
                     */
                    "application/json": components["schemas"]["CreateBody"];
                };
            };
            responses: {
                /** @description Created */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "user": {
                         *         "availability": "available",
                         *         "created_at": "2026-01-01T11:00:00.000Z",
                         *         "email": "ann@example.org",
                         *         "emoji": "☕",
                         *         "id": 2,
                         *         "inactivity_timeout_seconds": 120,
                         *         "is_active": true,
                         *         "last_seen": "2026-01-01T12:00:00.000Z",
                         *         "online_status": "online",
                         *         "reason": "heartbeat",
                         *         "role": "user",
                         *         "status": "active",
                         *         "text": "In a meeting",
                         *         "username": "ann"
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["ProfileAnswer"];
                    };
                };
                /** @description `bad_request`, `malformed_json` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `username_taken`, `email_taken` */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `body_too_large` */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `unsupported_media_type` */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field`, `weak_password` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/all-users/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * All users, a page at a time, exact at the moment of reading
         * @description For whoever is logged in.
         */
        get: {
            parameters: {
                query?: {
                    /** @description Users at most: 1 to 1000. */
                    limit?: number;
                    /** @description The page before's `next_cursor`. */
                    cursor?: string;
                    /** @description Part of the name or, for an admin, of the address; without regard to case. */
                    search?: string;
                    /** @description `online` or `offline`. */
                    online_status?: "online" | "offline";
                    /** @description `active`, `pending`, `suspended` or `banned`. */
                    status?: "active" | "pending" | "suspended" | "banned";
                    /** @description `user` or `admin`. */
                    role?: "user" | "admin";
                    /** @description `id`, `username` or `last_seen`, with `-` before it for descending. */
                    order?: "id" | "-id" | "username" | "-username" | "last_seen" | "-last_seen";
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "at_least": false,
                         *       "next_cursor": null,
                         *       "online": 1,
                         *       "total": 3,
                         *       "users": [
                         *         {
                         *           "availability": "available",
                         *           "email": "ann@example.org",
                         *           "emoji": "☕",
                         *           "id": 2,
                         *           "is_active": true,
                         *           "last_seen": "2026-01-01T12:00:00.000Z",
                         *           "online_status": "online",
                         *           "reason": "heartbeat",
                         *           "role": "user",
                         *           "status": "active",
                         *           "text": "In a meeting",
                         *           "username": "ann"
                         *         }
                         *       ]
                         *     }
                         */
                        "application/json": components["schemas"]["UsersAnswer"];
                    };
                };
                /** @description Not Modified */
                304: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description `invalid_query`, `invalid_cursor` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/heartbeat/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Say that one is still here
         * @description For whoever is logged in.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: {
                content: {
                    /**
                     * @example {
                     *       "idle_seconds": 0,
                     *       "leaving": false
                     *     }
                     */
                    "application/json": components["schemas"]["HeartbeatBody"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "last_seen": "2026-01-01T12:00:00.000Z",
                         *       "online_status": "online",
                         *       "online_until": "2026-01-01T12:02:00.000Z"
                         *     }
                         */
                        "application/json": components["schemas"]["HeartbeatAnswer"];
                    };
                };
                /** @description `bad_request`, `malformed_json` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `body_too_large` */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `unsupported_media_type` */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/login/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Log in
         * @description The user is online when this answers.
         *
         *     For anyone.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    /**
                     * @example {
                     *       "device": "laptop",
                     *       "password": "correct horse battery",
                     *       "username": "ann"
                     *     }
                     */
                    "application/json": components["schemas"]["LoginBody"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "access": "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyIn0.bm90LWEtc2lnbmF0dXJl",
                         *       "away_after_seconds": 300,
                         *       "heartbeat_interval_seconds": 30,
                         *       "inactivity_timeout_seconds": 120,
                         *       "refresh": "AAAAAAAAAAE.MGmxrUvOk4aV1eX2bT0hcw.n_mj0uZnnauWFhQjKPpq58T907oCjOi3mdM",
                         *       "user": {
                         *         "availability": "available",
                         *         "away_after_seconds": 300,
                         *         "chosen_availability": "available",
                         *         "created_at": "2026-01-01T11:00:00.000Z",
                         *         "email": "ann@example.org",
                         *         "emoji": "☕",
                         *         "id": 2,
                         *         "inactivity_timeout_seconds": 120,
                         *         "is_active": true,
                         *         "last_seen": "2026-01-01T12:00:00.000Z",
                         *         "last_seen_visibility": "everyone",
                         *         "online_status": "online",
                         *         "online_visibility": "everyone",
                         *         "reason": "heartbeat",
                         *         "role": "user",
                         *         "status": "active",
                         *         "text": "In a meeting",
                         *         "until": "2026-01-01T13:00:00.000Z",
                         *         "username": "ann"
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["LoginAnswer"];
                    };
                };
                /** @description `bad_request`, `malformed_json` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_credentials` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `body_too_large` */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `unsupported_media_type` */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/logout/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Log out, this session or all of one's own
         * @description The user is offline at once unless another session is live.
         *
         *     For whoever is logged in.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: {
                content: {
                    /**
                     * @example {
                     *       "everywhere": true
                     *     }
                     */
                    "application/json": components["schemas"]["LogoutBody"];
                };
            };
            responses: {
                /** @description No Content */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description `bad_request`, `malformed_json` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `body_too_large` */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `unsupported_media_type` */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/me/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One's own profile
         * @description For whoever is logged in.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "user": {
                         *         "availability": "available",
                         *         "away_after_seconds": 300,
                         *         "chosen_availability": "available",
                         *         "created_at": "2026-01-01T11:00:00.000Z",
                         *         "email": "ann@example.org",
                         *         "emoji": "☕",
                         *         "id": 2,
                         *         "inactivity_timeout_seconds": 120,
                         *         "is_active": true,
                         *         "last_seen": "2026-01-01T12:00:00.000Z",
                         *         "last_seen_visibility": "everyone",
                         *         "online_status": "online",
                         *         "online_visibility": "everyone",
                         *         "reason": "heartbeat",
                         *         "role": "user",
                         *         "status": "active",
                         *         "text": "In a meeting",
                         *         "until": "2026-01-01T13:00:00.000Z",
                         *         "username": "ann"
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["MeAnswer"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /**
         * Delete one's own account
         * @description For whoever is logged in.
         */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description No Content */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `last_admin` */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        /**
         * Change one's own profile
         * @description For whoever is logged in.
         */
        patch: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    /**
                     * @example {
                     *       "availability": "dnd",
                     *       "emoji": "☕",
                     *       "text": "In a meeting"
                     *     }
                     */
                    "application/json": components["schemas"]["MeBody"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "user": {
                         *         "availability": "available",
                         *         "away_after_seconds": 300,
                         *         "chosen_availability": "available",
                         *         "created_at": "2026-01-01T11:00:00.000Z",
                         *         "email": "ann@example.org",
                         *         "emoji": "☕",
                         *         "id": 2,
                         *         "inactivity_timeout_seconds": 120,
                         *         "is_active": true,
                         *         "last_seen": "2026-01-01T12:00:00.000Z",
                         *         "last_seen_visibility": "everyone",
                         *         "online_status": "online",
                         *         "online_visibility": "everyone",
                         *         "reason": "heartbeat",
                         *         "role": "user",
                         *         "status": "active",
                         *         "text": "In a meeting",
                         *         "until": "2026-01-01T13:00:00.000Z",
                         *         "username": "ann"
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["MeAnswer"];
                    };
                };
                /** @description `bad_request`, `malformed_json` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `email_taken` */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `body_too_large` */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `unsupported_media_type` */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/users/me/export/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * All that is held of oneself, as JSON
         * @description For whoever is logged in.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "actions": [
                         *         {
                         *           "action": "suspend",
                         *           "at": "2026-01-01T12:00:00.000Z",
                         *           "reason": "spam"
                         *         }
                         *       ],
                         *       "contacts": [
                         *         {
                         *           "id": 3,
                         *           "notify": "once",
                         *           "presence": {
                         *             "availability": "available",
                         *             "emoji": "☕",
                         *             "last_seen": "2026-01-01T12:00:00.000Z",
                         *             "online_status": "online",
                         *             "online_until": "2026-01-01T12:02:00.000Z",
                         *             "reason": "heartbeat",
                         *             "text": "In a meeting",
                         *             "user_id": 2
                         *           },
                         *           "since": "2026-01-01T12:00:00.000Z",
                         *           "state": "accepted",
                         *           "user_id": 3,
                         *           "username": "bob"
                         *         }
                         *       ],
                         *       "exported_at": "2026-01-01T12:00:00.000Z",
                         *       "history": [
                         *         {
                         *           "device": "laptop",
                         *           "end_reason": "timeout",
                         *           "ended_at": "2026-01-01T12:00:00.000Z",
                         *           "session_id": 1,
                         *           "start_reason": "login",
                         *           "started_at": "2026-01-01T11:00:00.000Z"
                         *         }
                         *       ],
                         *       "notifications": [
                         *         {
                         *           "at": "2026-01-01T12:00:00.000Z",
                         *           "id": 5,
                         *           "kind": "online",
                         *           "read_at": null,
                         *           "user_id": 2,
                         *           "username": "ann"
                         *         }
                         *       ],
                         *       "sessions": [
                         *         {
                         *           "created_at": "2026-01-01T11:00:00.000Z",
                         *           "device": "laptop",
                         *           "end_reason": "timeout",
                         *           "ended_at": "2026-01-01T12:00:00.000Z",
                         *           "id": 1,
                         *           "last_seen": "2026-01-01T12:00:00.000Z",
                         *           "platform": "web"
                         *         }
                         *       ],
                         *       "user": {
                         *         "availability": "available",
                         *         "away_after_seconds": 300,
                         *         "chosen_availability": "available",
                         *         "created_at": "2026-01-01T11:00:00.000Z",
                         *         "email": "ann@example.org",
                         *         "emoji": "☕",
                         *         "id": 2,
                         *         "inactivity_timeout_seconds": 120,
                         *         "is_active": true,
                         *         "last_seen": "2026-01-01T12:00:00.000Z",
                         *         "last_seen_visibility": "everyone",
                         *         "online_status": "online",
                         *         "online_visibility": "everyone",
                         *         "reason": "heartbeat",
                         *         "role": "user",
                         *         "status": "active",
                         *         "text": "In a meeting",
                         *         "until": "2026-01-01T13:00:00.000Z",
                         *         "username": "ann"
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["ExportAnswer"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/me/password/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Change one's own password
         * @description All other sessions end.
         *
         *     For whoever is logged in.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    /**
                     * @example {
                     *       "new": "through the looking-glass",
                     *       "old": "correct horse battery"
                     *     }
                     */
                    "application/json": components["schemas"]["PasswordBody"];
                };
            };
            responses: {
                /** @description No Content */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description `bad_request`, `malformed_json` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended`, `invalid_credentials` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `body_too_large` */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `unsupported_media_type` */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field`, `weak_password` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/presence/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The presence of up to 1000 users
         * @description For whoever is logged in.
         */
        get: {
            parameters: {
                query: {
                    /**
                     * @description Ids, comma-separated
                     * @example [
                     *       1,
                     *       2,
                     *       3
                     *     ]
                     */
                    ids: number[];
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "presences": [
                         *         {
                         *           "availability": "available",
                         *           "emoji": "☕",
                         *           "last_seen": "2026-01-01T12:00:00.000Z",
                         *           "online_status": "online",
                         *           "online_until": "2026-01-01T12:02:00.000Z",
                         *           "reason": "heartbeat",
                         *           "text": "In a meeting",
                         *           "user_id": 2
                         *         }
                         *       ]
                         *     }
                         */
                        "application/json": components["schemas"]["PresencesAnswer"];
                    };
                };
                /** @description `invalid_query` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        /**
         * The presence of up to 1000 users, for lists that are too long for an address
         * @description For whoever is logged in.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    /**
                     * @example {
                     *       "ids": [
                     *         2,
                     *         3
                     *       ]
                     *     }
                     */
                    "application/json": components["schemas"]["IdsBody"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "presences": [
                         *         {
                         *           "availability": "available",
                         *           "emoji": "☕",
                         *           "last_seen": "2026-01-01T12:00:00.000Z",
                         *           "online_status": "online",
                         *           "online_until": "2026-01-01T12:02:00.000Z",
                         *           "reason": "heartbeat",
                         *           "text": "In a meeting",
                         *           "user_id": 2
                         *         }
                         *       ]
                         *     }
                         */
                        "application/json": components["schemas"]["PresencesAnswer"];
                    };
                };
                /** @description `bad_request`, `malformed_json` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `body_too_large` */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `unsupported_media_type` */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/presence/changes/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What has changed since a cursor, online and offline alike
         * @description For whoever is logged in.
         */
        get: {
            parameters: {
                query?: {
                    /** @description An answer's `next_cursor`; without it nothing, and the cursor of now */
                    since?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "next_cursor": "MToxNzY3MjY4ODAwMDAw",
                         *       "transitions": [
                         *         {
                         *           "at": "2026-01-01T12:00:00.000Z",
                         *           "id": "1767268800000-0",
                         *           "presence": {
                         *             "availability": "available",
                         *             "emoji": "☕",
                         *             "last_seen": "2026-01-01T12:00:00.000Z",
                         *             "online_status": "online",
                         *             "online_until": "2026-01-01T12:02:00.000Z",
                         *             "reason": "heartbeat",
                         *             "text": "In a meeting",
                         *             "user_id": 2
                         *           }
                         *         }
                         *       ]
                         *     }
                         */
                        "application/json": components["schemas"]["ChangesAnswer"];
                    };
                };
                /** @description `invalid_query`, `invalid_cursor` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `cursor_expired` */
                410: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/register/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Register an account
         * @description For anyone.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    /**
                     * @example {
                     *       "email": "ann@example.org",
                     *       "password": "correct horse battery",
                     *       "username": "ann"
                     *     }
                     */
                    "application/json": components["schemas"]["RegisterBody"];
                };
            };
            responses: {
                /** @description Created */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "user": {
                         *         "availability": "available",
                         *         "away_after_seconds": 300,
                         *         "chosen_availability": "available",
                         *         "created_at": "2026-01-01T11:00:00.000Z",
                         *         "email": "ann@example.org",
                         *         "emoji": "☕",
                         *         "id": 2,
                         *         "inactivity_timeout_seconds": 120,
                         *         "is_active": true,
                         *         "last_seen": "2026-01-01T12:00:00.000Z",
                         *         "last_seen_visibility": "everyone",
                         *         "online_status": "online",
                         *         "online_visibility": "everyone",
                         *         "reason": "heartbeat",
                         *         "role": "user",
                         *         "status": "active",
                         *         "text": "In a meeting",
                         *         "until": "2026-01-01T13:00:00.000Z",
                         *         "username": "ann"
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["MeAnswer"];
                    };
                };
                /** @description `bad_request`, `malformed_json` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `registration_closed` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `username_taken`, `email_taken` */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `body_too_large` */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `unsupported_media_type` */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field`, `weak_password` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/token/refresh/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Turn a refresh token into a new pair
         * @description Is no sign of life.
         *
         *     For whoever has a refresh token.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    /**
                     * @example {
                     *       "refresh": "AAAAAAAAAAE.MGmxrUvOk4aV1eX2bT0hcw.n_mj0uZnnauWFhQjKPpq58T907oCjOi3mdM"
                     *     }
                     */
                    "application/json": components["schemas"]["RefreshBody"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "access": "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyIn0.bm90LWEtc2lnbmF0dXJl",
                         *       "refresh": "AAAAAAAAAAE.MGmxrUvOk4aV1eX2bT0hcw.n_mj0uZnnauWFhQjKPpq58T907oCjOi3mdM"
                         *     }
                         */
                        "application/json": components["schemas"]["TokensAnswer"];
                    };
                };
                /** @description `bad_request`, `malformed_json` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `session_ended`, `refresh_reused` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `body_too_large` */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `unsupported_media_type` */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{id}/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One user
         * @description For whoever is logged in.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The user's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "user": {
                         *         "availability": "available",
                         *         "email": "ann@example.org",
                         *         "emoji": "☕",
                         *         "id": 2,
                         *         "is_active": true,
                         *         "last_seen": "2026-01-01T12:00:00.000Z",
                         *         "online_status": "online",
                         *         "reason": "heartbeat",
                         *         "role": "user",
                         *         "status": "active",
                         *         "text": "In a meeting",
                         *         "username": "ann"
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["UserAnswer"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `user_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /**
         * Delete an account
         * @description For admins.
         */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The user's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    /**
                     * @example {
                     *       "reason": "spam"
                     *     }
                     */
                    "application/json": components["schemas"]["ReasonBody"];
                };
            };
            responses: {
                /** @description No Content */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description `bad_request`, `malformed_json` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `user_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `not_yourself`, `last_admin` */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `body_too_large` */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `unsupported_media_type` */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        /**
         * Change an account
         * @description For admins.
         */
        patch: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The user's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    /**
                     * @example {
                     *       "reason": "looks after the others",
                     *       "role": "admin"
                     *     }
                     */
                    "application/json": components["schemas"]["EditBody"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "user": {
                         *         "availability": "available",
                         *         "created_at": "2026-01-01T11:00:00.000Z",
                         *         "email": "ann@example.org",
                         *         "emoji": "☕",
                         *         "id": 2,
                         *         "inactivity_timeout_seconds": 120,
                         *         "is_active": true,
                         *         "last_seen": "2026-01-01T12:00:00.000Z",
                         *         "online_status": "online",
                         *         "reason": "heartbeat",
                         *         "role": "user",
                         *         "status": "active",
                         *         "text": "In a meeting",
                         *         "username": "ann"
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["ProfileAnswer"];
                    };
                };
                /** @description `bad_request`, `malformed_json` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `user_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `username_taken`, `email_taken`, `not_yourself`, `last_admin` */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `body_too_large` */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `unsupported_media_type` */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field`, `weak_password` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/users/{id}/activate/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Activate an account: it may log in again
         * @description Sessions that were ended stay ended.
         *
         *     For admins.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The user's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    /**
                     * @example {
                     *       "reason": "spam"
                     *     }
                     */
                    "application/json": components["schemas"]["ReasonBody"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "user": {
                         *         "availability": "available",
                         *         "created_at": "2026-01-01T11:00:00.000Z",
                         *         "email": "ann@example.org",
                         *         "emoji": "☕",
                         *         "id": 2,
                         *         "inactivity_timeout_seconds": 120,
                         *         "is_active": true,
                         *         "last_seen": "2026-01-01T12:00:00.000Z",
                         *         "online_status": "online",
                         *         "reason": "heartbeat",
                         *         "role": "user",
                         *         "status": "active",
                         *         "text": "In a meeting",
                         *         "username": "ann"
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["ProfileAnswer"];
                    };
                };
                /** @description `bad_request`, `malformed_json` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `user_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `body_too_large` */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `unsupported_media_type` */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{id}/audit/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What admins did to an account, and why
         * @description For admins.
         */
        get: {
            parameters: {
                query?: {
                    /** @description 1 to 1000, 100 without it */
                    limit?: number;
                    /** @description The page before's `next_before`; without it the newest */
                    before?: number;
                };
                header?: never;
                path: {
                    /** @description The user's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "entries": [
                         *         {
                         *           "action": "suspend",
                         *           "actor": "admin",
                         *           "actor_id": 1,
                         *           "at": "2026-01-01T12:00:00.000Z",
                         *           "details": {
                         *             "from": {
                         *               "is_active": true,
                         *               "status": "active"
                         *             },
                         *             "to": {
                         *               "is_active": true,
                         *               "status": "suspended"
                         *             }
                         *           },
                         *           "id": 7,
                         *           "reason": "spam",
                         *           "target": "ann",
                         *           "target_id": 2
                         *         }
                         *       ],
                         *       "next_before": null
                         *     }
                         */
                        "application/json": components["schemas"]["AuditAnswer"];
                    };
                };
                /** @description `invalid_query` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `user_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{id}/ban/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Ban an account: offline, and all of its sessions ended, when this answers
         * @description For admins.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The user's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    /**
                     * @example {
                     *       "reason": "spam"
                     *     }
                     */
                    "application/json": components["schemas"]["ReasonBody"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "user": {
                         *         "availability": "available",
                         *         "created_at": "2026-01-01T11:00:00.000Z",
                         *         "email": "ann@example.org",
                         *         "emoji": "☕",
                         *         "id": 2,
                         *         "inactivity_timeout_seconds": 120,
                         *         "is_active": true,
                         *         "last_seen": "2026-01-01T12:00:00.000Z",
                         *         "online_status": "online",
                         *         "reason": "heartbeat",
                         *         "role": "user",
                         *         "status": "active",
                         *         "text": "In a meeting",
                         *         "username": "ann"
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["ProfileAnswer"];
                    };
                };
                /** @description `bad_request`, `malformed_json` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `user_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `not_yourself`, `last_admin` */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `body_too_large` */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `unsupported_media_type` */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{id}/deactivate/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Deactivate an account: offline, and all of its sessions ended, when this answers
         * @description For admins.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The user's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    /**
                     * @example {
                     *       "reason": "spam"
                     *     }
                     */
                    "application/json": components["schemas"]["ReasonBody"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "user": {
                         *         "availability": "available",
                         *         "created_at": "2026-01-01T11:00:00.000Z",
                         *         "email": "ann@example.org",
                         *         "emoji": "☕",
                         *         "id": 2,
                         *         "inactivity_timeout_seconds": 120,
                         *         "is_active": true,
                         *         "last_seen": "2026-01-01T12:00:00.000Z",
                         *         "online_status": "online",
                         *         "reason": "heartbeat",
                         *         "role": "user",
                         *         "status": "active",
                         *         "text": "In a meeting",
                         *         "username": "ann"
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["ProfileAnswer"];
                    };
                };
                /** @description `bad_request`, `malformed_json` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `user_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `not_yourself`, `last_admin` */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `body_too_large` */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `unsupported_media_type` */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{id}/history/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A user's online intervals
         * @description For admins, and for the user itself.
         */
        get: {
            parameters: {
                query?: {
                    /** @description RFC 3339; without it from the beginning */
                    from?: string;
                    /** @description RFC 3339; without it until now */
                    to?: string;
                    /** @description 1 to 1000, 100 without it */
                    limit?: number;
                    /** @description The page before's `next_cursor`; without it the first page */
                    cursor?: string;
                };
                header?: never;
                path: {
                    /** @description The user's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description As CSV where `Accept` is `text/csv`; `Link` has the next page */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "intervals": [
                         *         {
                         *           "device": "laptop",
                         *           "end_reason": "timeout",
                         *           "ended_at": "2026-01-01T12:00:00.000Z",
                         *           "session_id": 1,
                         *           "start_reason": "login",
                         *           "started_at": "2026-01-01T11:00:00.000Z"
                         *         }
                         *       ],
                         *       "next_cursor": null
                         *     }
                         */
                        "application/json": components["schemas"]["HistoryAnswer"];
                        "text/csv": string;
                    };
                };
                /** @description `invalid_query`, `invalid_cursor` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive`, `hidden_by_privacy` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `user_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{id}/logout/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Log a user out everywhere
         * @description For admins.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The user's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    /**
                     * @example {
                     *       "reason": "spam"
                     *     }
                     */
                    "application/json": components["schemas"]["ReasonBody"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "user": {
                         *         "availability": "available",
                         *         "created_at": "2026-01-01T11:00:00.000Z",
                         *         "email": "ann@example.org",
                         *         "emoji": "☕",
                         *         "id": 2,
                         *         "inactivity_timeout_seconds": 120,
                         *         "is_active": true,
                         *         "last_seen": "2026-01-01T12:00:00.000Z",
                         *         "online_status": "online",
                         *         "reason": "heartbeat",
                         *         "role": "user",
                         *         "status": "active",
                         *         "text": "In a meeting",
                         *         "username": "ann"
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["ProfileAnswer"];
                    };
                };
                /** @description `bad_request`, `malformed_json` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `user_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `body_too_large` */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `unsupported_media_type` */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{id}/sessions/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A user's devices
         * @description For admins, and for the user itself.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The user's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "sessions": [
                         *         {
                         *           "created_at": "2026-01-01T11:00:00.000Z",
                         *           "current": true,
                         *           "device": "laptop",
                         *           "id": 1,
                         *           "last_seen": "2026-01-01T12:00:00.000Z",
                         *           "online": true
                         *         }
                         *       ]
                         *     }
                         */
                        "application/json": components["schemas"]["DevicesAnswer"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `user_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{id}/sessions/{sid}/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * End one of a user's sessions
         * @description For admins, and for the user itself.
         */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The user's id */
                    id: number;
                    /** @description The session's id */
                    sid: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description No Content */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `user_not_found`, `session_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/users/{id}/suspend/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Suspend an account: offline, and all of its sessions ended, when this answers
         * @description For admins.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The user's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    /**
                     * @example {
                     *       "reason": "spam"
                     *     }
                     */
                    "application/json": components["schemas"]["ReasonBody"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "user": {
                         *         "availability": "available",
                         *         "created_at": "2026-01-01T11:00:00.000Z",
                         *         "email": "ann@example.org",
                         *         "emoji": "☕",
                         *         "id": 2,
                         *         "inactivity_timeout_seconds": 120,
                         *         "is_active": true,
                         *         "last_seen": "2026-01-01T12:00:00.000Z",
                         *         "online_status": "online",
                         *         "reason": "heartbeat",
                         *         "role": "user",
                         *         "status": "active",
                         *         "text": "In a meeting",
                         *         "username": "ann"
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["ProfileAnswer"];
                    };
                };
                /** @description `bad_request`, `malformed_json` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `user_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `not_yourself`, `last_admin` */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `body_too_large` */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `unsupported_media_type` */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/webhooks/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * All webhooks
         * @description For admins.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "webhooks": [
                         *         {
                         *           "created_at": "2026-01-01T11:00:00.000Z",
                         *           "description": "Tells the chat",
                         *           "disabled_reason": null,
                         *           "enabled": true,
                         *           "events": [
                         *             "presence.*",
                         *             "account.created"
                         *           ],
                         *           "failing_since": null,
                         *           "id": 4,
                         *           "last_delivery": {
                         *             "at": "2026-01-01T12:00:00.000Z",
                         *             "ok": true
                         *           },
                         *           "url": "https://example.org/hooks/lastseen"
                         *         }
                         *       ]
                         *     }
                         */
                        "application/json": components["schemas"]["WebhooksAnswer"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        /**
         * Make a webhook
         * @description Its secret is told in this answer only.
         *
         *     For admins.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    /**
                     * @example {
                     *       "description": "Tells the chat",
                     *       "enabled": true,
                     *       "events": [
                     *         "presence.*",
                     *         "account.created"
                     *       ],
                     *       "url": "https://example.org/hooks/lastseen"
                     *     }
                     */
                    "application/json": components["schemas"]["CreateWebhookBody"];
                };
            };
            responses: {
                /** @description Created */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "created_at": "2026-01-01T11:00:00.000Z",
                         *       "description": "Tells the chat",
                         *       "disabled_reason": null,
                         *       "enabled": true,
                         *       "events": [
                         *         "presence.*",
                         *         "account.created"
                         *       ],
                         *       "failing_since": null,
                         *       "id": 4,
                         *       "last_delivery": {
                         *         "at": "2026-01-01T12:00:00.000Z",
                         *         "ok": true
                         *       },
                         *       "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                         *       "url": "https://example.org/hooks/lastseen"
                         *     }
                         */
                        "application/json": components["schemas"]["NewWebhookAnswer"];
                    };
                };
                /** @description `bad_request`, `malformed_json` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_webhooks` */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `body_too_large` */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `unsupported_media_type` */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/webhooks/{id}/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A webhook
         * @description For admins.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The webhook's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "created_at": "2026-01-01T11:00:00.000Z",
                         *       "description": "Tells the chat",
                         *       "disabled_reason": null,
                         *       "enabled": true,
                         *       "events": [
                         *         "presence.*",
                         *         "account.created"
                         *       ],
                         *       "failing_since": null,
                         *       "id": 4,
                         *       "last_delivery": {
                         *         "at": "2026-01-01T12:00:00.000Z",
                         *         "ok": true
                         *       },
                         *       "url": "https://example.org/hooks/lastseen"
                         *     }
                         */
                        "application/json": components["schemas"]["WebhookShape"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `webhook_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /**
         * Delete a webhook, with its deliveries
         * @description For admins.
         */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The webhook's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description No Content */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `webhook_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        /**
         * Change a webhook
         * @description Enabling one sends what has waited for it.
         *
         *     For admins.
         */
        patch: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The webhook's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    /**
                     * @example {
                     *       "enabled": false
                     *     }
                     */
                    "application/json": components["schemas"]["EditWebhookBody"];
                };
            };
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "created_at": "2026-01-01T11:00:00.000Z",
                         *       "description": "Tells the chat",
                         *       "disabled_reason": null,
                         *       "enabled": true,
                         *       "events": [
                         *         "presence.*",
                         *         "account.created"
                         *       ],
                         *       "failing_since": null,
                         *       "id": 4,
                         *       "last_delivery": {
                         *         "at": "2026-01-01T12:00:00.000Z",
                         *         "ok": true
                         *       },
                         *       "url": "https://example.org/hooks/lastseen"
                         *     }
                         */
                        "application/json": components["schemas"]["WebhookShape"];
                    };
                };
                /** @description `bad_request`, `malformed_json` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `webhook_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `body_too_large` */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `unsupported_media_type` */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `invalid_field` */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/webhooks/{id}/deliveries/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What became of a webhook's deliveries
         * @description For admins.
         */
        get: {
            parameters: {
                query?: {
                    /** @description `pending`, `delivered` or `dead` */
                    status?: "pending" | "delivered" | "dead";
                    /** @description 1 to 1000, 50 without it */
                    limit?: number;
                    /** @description The page before's `next_cursor`; without it the first page */
                    cursor?: string;
                };
                header?: never;
                path: {
                    /** @description The webhook's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "deliveries": [
                         *         {
                         *           "attempts": 1,
                         *           "body": "{\"type\":\"account.created\",\"timestamp\":\"2026-01-01T12:00:00.000Z\",\"data\":{\"user_id\":2}}",
                         *           "created_at": "2026-01-01T11:00:00.000Z",
                         *           "id": 9,
                         *           "last_attempt_at": "2026-01-01T12:00:00.000Z",
                         *           "last_error": null,
                         *           "last_response": "ok",
                         *           "last_status": 200,
                         *           "next_attempt_at": null,
                         *           "status": "delivered",
                         *           "type": "account.created",
                         *           "webhook_id": "msg_sSJDTd5SFMW8WStTLTzZB5gl"
                         *         }
                         *       ],
                         *       "next_cursor": null
                         *     }
                         */
                        "application/json": components["schemas"]["DeliveriesAnswer"];
                    };
                };
                /** @description `invalid_query`, `invalid_cursor` */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `webhook_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/webhooks/{id}/deliveries/{did}/redeliver/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a delivery once more, under the same `webhook-id`
         * @description For admins.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The webhook's id */
                    id: number;
                    /** @description The delivery's id */
                    did: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Accepted */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "attempts": 1,
                         *       "body": "{\"type\":\"account.created\",\"timestamp\":\"2026-01-01T12:00:00.000Z\",\"data\":{\"user_id\":2}}",
                         *       "created_at": "2026-01-01T11:00:00.000Z",
                         *       "id": 9,
                         *       "last_attempt_at": "2026-01-01T12:00:00.000Z",
                         *       "last_error": null,
                         *       "last_response": "ok",
                         *       "last_status": 200,
                         *       "next_attempt_at": null,
                         *       "status": "delivered",
                         *       "type": "account.created",
                         *       "webhook_id": "msg_sSJDTd5SFMW8WStTLTzZB5gl"
                         *     }
                         */
                        "application/json": components["schemas"]["DeliveryShape"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `webhook_not_found`, `delivery_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `webhook_disabled` */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/webhooks/{id}/rotate-secret/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Give a webhook a new secret
         * @description For a day the earlier one signs, too.
         *
         *     For admins.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The webhook's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
                         *     }
                         */
                        "application/json": components["schemas"]["SecretAnswer"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `webhook_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/webhooks/{id}/test/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a webhook a trial, whatever its events are
         * @description For admins.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The webhook's id */
                    id: number;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Accepted */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "attempts": 1,
                         *       "body": "{\"type\":\"account.created\",\"timestamp\":\"2026-01-01T12:00:00.000Z\",\"data\":{\"user_id\":2}}",
                         *       "created_at": "2026-01-01T11:00:00.000Z",
                         *       "id": 9,
                         *       "last_attempt_at": "2026-01-01T12:00:00.000Z",
                         *       "last_error": null,
                         *       "last_response": "ok",
                         *       "last_status": 200,
                         *       "next_attempt_at": null,
                         *       "status": "delivered",
                         *       "type": "account.created",
                         *       "webhook_id": "msg_sSJDTd5SFMW8WStTLTzZB5gl"
                         *     }
                         */
                        "application/json": components["schemas"]["DeliveryShape"];
                    };
                };
                /** @description `token_invalid`, `token_expired`, `session_ended` */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `forbidden`, `account_suspended`, `account_banned`, `account_pending`, `account_inactive` */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `webhook_not_found` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `webhook_disabled` */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `too_many_requests` */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded`, `conflicting_change` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description Any other refusal, by its `code` */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/ws/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Presence as it changes, over a WebSocket
         * @description The token comes in the subprotocol (`Sec-WebSocket-Protocol: bearer, TOKEN`) or in the first frame, never in the
         *     address. docs/LIVE.md has the frames.
         *
         *     For whoever is logged in.
         */
        get: {
            parameters: {
                query?: never;
                header?: {
                    /** @description `bearer, TOKEN` */
                    "Sec-WebSocket-Protocol"?: string | null;
                };
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A WebSocket: frames are JSON objects with a `type` */
                101: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description `upgrade_required` */
                426: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
                /** @description `engine_unavailable`, `database_unavailable`, `overloaded` */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["ProblemBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Alive
         * @description For anyone.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "status": "ok"
                         *     }
                         */
                        "application/json": components["schemas"]["HealthAnswer"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Metrics for Prometheus
         * @description For anyone.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example # TYPE lastseen_transitions counter
                         *     lastseen_transitions_total 3
                         *     # EOF
                         */
                        "application/openmetrics-text; version=1.0.0; charset=utf-8": string;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Ready, with each part's state
         * @description For anyone.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description OK */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "parts": [
                         *         {
                         *           "name": "database",
                         *           "ok": true
                         *         }
                         *       ],
                         *       "status": "ready"
                         *     }
                         */
                        "application/json": components["schemas"]["ReadyAnswer"];
                    };
                };
                /** @description Service Unavailable */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "parts": [
                         *         {
                         *           "name": "database",
                         *           "ok": false
                         *         }
                         *       ],
                         *       "status": "not_ready"
                         *     }
                         */
                        "application/json": components["schemas"]["ReadyAnswer"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description Something that an admin did to the account. */
        ActionShape: {
            /**
             * @description What was done.
             * @example suspend
             */
            action: string;
            /**
             * Format: date-time
             * @description RFC 3339.
             * @example 2026-01-01T12:00:00.000Z
             */
            at: string;
            /**
             * @description Why, where the admin said so.
             * @example spam
             */
            reason?: string | null;
        };
        /** @description How many users were active, day by day. */
        ActiveAnswer: {
            /** @description The oldest first; the last day is not over yet. */
            points: components["schemas"]["ActiveShape"][];
        };
        /** @description How many users were active. */
        ActiveShape: {
            /**
             * Format: int64
             * @description On that day.
             * @example 120
             */
            daily: number;
            /**
             * Format: date
             * @description The day, in UTC: `2026-11-24`.
             * @example 2026-01-01
             */
            day: string;
            /**
             * Format: int64
             * @description In the thirty days that end with it.
             * @example 512
             */
            monthly: number;
            /**
             * Format: int64
             * @description In the seven days that end with it.
             * @example 310
             */
            weekly: number;
        };
        /** @description What was done to an account. */
        AuditAnswer: {
            /** @description The newest first. */
            entries: components["schemas"]["AuditShape"][];
            /**
             * Format: int64
             * @description For the next page, as `before`; null at the end.
             * @example null
             */
            next_before?: number | null;
        };
        /** @description An entry of the audit log. */
        AuditShape: {
            /**
             * @description What was done.
             * @example suspend
             */
            action: string;
            /**
             * @description The name of that.
             * @example admin
             */
            actor: string;
            /**
             * Format: int64
             * @description Who; null for the operator.
             * @example 1
             */
            actor_id?: number | null;
            /**
             * @description RFC 3339.
             * @example 2026-01-01T12:00:00.000Z
             */
            at: string;
            /**
             * @description What changed.
             * @example {
             *       "from": {
             *         "is_active": true,
             *         "status": "active"
             *       },
             *       "to": {
             *         "is_active": true,
             *         "status": "suspended"
             *       }
             *     }
             */
            details?: Record<string, never> | null;
            /**
             * Format: int64
             * @description Growing.
             * @example 7
             */
            id: number;
            /**
             * @description Why, where the admin said so.
             * @example spam
             */
            reason?: string | null;
            /**
             * @description The name of that.
             * @example ann
             */
            target: string;
            /**
             * Format: int64
             * @description To whom.
             * @example 2
             */
            target_id?: number | null;
        };
        /** @description How many sessions were of which length. */
        BandShape: {
            /**
             * Format: int64
             * @description How many.
             * @example 31
             */
            count: number;
            /**
             * Format: int32
             * @description From this length on, in seconds.
             * @example 0
             */
            from_seconds: number;
            /**
             * Format: int32
             * @description Up to this; null for the last.
             * @example 60
             */
            to_seconds?: number | null;
        };
        /** @description A cell of the heat map. */
        CellShape: {
            /**
             * @description The hour, 0 to 23.
             * @example 9
             */
            hour: number;
            /**
             * Format: double
             * @description How many users were online then, in the mean; null where nothing is known.
             * @example 3.5
             */
            mean_online?: number | null;
            /**
             * @description The day of the week: 1 is Monday.
             * @example 1
             */
            weekday: number;
        };
        /** @description What has changed. */
        ChangesAnswer: {
            /**
             * @description For the next call.
             * @example MToxNzY3MjY4ODAwMDAw
             */
            next_cursor: string;
            /** @description In the order in which it happened. */
            transitions: components["schemas"]["TransitionShape"][];
        };
        /** @description What clients need to know of this installation. */
        ConfigAnswer: {
            /**
             * Format: double
             * @description How often an admin's page asks who is online.
             * @example 10
             */
            admin_refresh_seconds: number;
            /**
             * Format: double
             * @description After how long without anybody touching it a device is away, unless its user chose otherwise.
             * @example 300
             */
            away_after_seconds: number;
            /**
             * Format: double
             * @description How often to send a heartbeat.
             * @example 30
             */
            heartbeat_interval_seconds: number;
            /**
             * Format: double
             * @description After how long a silence a user is offline.
             * @example 120
             */
            inactivity_timeout_seconds: number;
            /**
             * @description `open`, `approval` or `closed`.
             * @example open
             */
            registration: string;
            /**
             * Format: double
             * @description The longest.
             * @example 3600
             */
            timeout_max_seconds: number;
            /**
             * Format: double
             * @description The shortest timeout that a user may choose.
             * @example 120
             */
            timeout_min_seconds: number;
            /**
             * @description The server's version.
             * @example 0.1.0
             */
            version: string;
        };
        /** @description `{contact}`. */
        ContactAnswer: {
            /** @description The contact. */
            contact: components["schemas"]["ContactShape"];
        };
        /** @description Whom to ask. */
        ContactBody: {
            /**
             * Format: int64
             * @description The user's id.
             * @example 3
             */
            user_id: number;
        };
        /** @description A contact, a request or a block, as the caller has it. */
        ContactShape: {
            /**
             * Format: int64
             * @description The other user's id.
             * @example 3
             */
            id: number;
            /**
             * @description Whether the caller wants to be told when the other comes online: `once`, `always`, or null.
             * @example once
             */
            notify?: string | null;
            /** @description The other user's presence. */
            presence: components["schemas"]["PresenceShape"];
            /**
             * Format: date-time
             * @description Since when, RFC 3339.
             * @example 2026-01-01T12:00:00.000Z
             */
            since: string;
            /**
             * @description `accepted`, `requested` (by the caller), `incoming` (by the other) or `blocked` (by the caller).
             * @example accepted
             */
            state: string;
            /**
             * Format: int64
             * @description The same.
             * @example 3
             */
            user_id: number;
            /**
             * @description The other user's name.
             * @example bob
             */
            username: string;
        };
        /** @description Contacts, requests and blocks. */
        ContactsAnswer: {
            /** @description By name. */
            contacts: components["schemas"]["ContactShape"][];
        };
        /** @description A new account. */
        CreateBody: {
            /**
             * @description An e-mail address.
             * @example ann@example.org
             */
            email: string;
            /**
             * @description 8 characters at least, 72 bytes at most.
             * @example correct horse battery
             */
            password: string;
            /**
             * @description `user`, unless it says otherwise.
             * @example user
             * @enum {string|null}
             */
            role?: "user" | "admin" | null;
            /**
             * @description `active`, unless it says otherwise.
             * @example active
             * @enum {string|null}
             */
            status?: "active" | "pending" | "suspended" | "banned" | null;
            /**
             * @description 3 to 64 letters, digits, `_`, `.` or `-`.
             * @example ann
             */
            username: string;
        };
        /** @description A new webhook. */
        CreateWebhookBody: {
            /**
             * @description What it is for: at most 500 characters.
             * @example Tells the chat
             */
            description?: string | null;
            /**
             * @description False for one that is sent nothing yet.
             * @example true
             */
            enabled?: boolean | null;
            /**
             * @description Which events: exact types, `presence.*`, `account.*` or `*`.
             * @example [
             *       "presence.*",
             *       "account.created"
             *     ]
             */
            events: string[];
            /**
             * @description Where events are sent: `https://` or `http://`, without a user's name or password.
             * @example https://example.org/hooks/lastseen
             */
            url: string;
        };
        /** @description A page of deliveries. */
        DeliveriesAnswer: {
            /** @description The newest first. */
            deliveries: components["schemas"]["DeliveryShape"][];
            /**
             * @description For the next page; null at the end.
             * @example null
             */
            next_cursor?: string | null;
        };
        /** @description An event on its way to a webhook. */
        DeliveryShape: {
            /**
             * Format: int32
             * @description Attempts so far.
             * @example 1
             */
            attempts: number;
            /**
             * @description The body as it is sent.
             * @example {"type":"account.created","timestamp":"2026-01-01T12:00:00.000Z","data":{"user_id":2}}
             */
            body: string;
            /**
             * Format: date-time
             * @description RFC 3339.
             * @example 2026-01-01T11:00:00.000Z
             */
            created_at: string;
            /**
             * Format: int64
             * @description The delivery's id.
             * @example 9
             */
            id: number;
            /**
             * Format: date-time
             * @description When the last attempt ended, RFC 3339.
             * @example 2026-01-01T12:00:00.000Z
             */
            last_attempt_at?: string | null;
            /**
             * @description Why the last attempt failed.
             * @example null
             */
            last_error?: string | null;
            /**
             * @description How the last answer's body began.
             * @example ok
             */
            last_response?: string | null;
            /**
             * Format: int32
             * @description The HTTP status of the last attempt's answer; null where there was none.
             * @example 200
             */
            last_status?: number | null;
            /**
             * Format: date-time
             * @description When it is due, RFC 3339; null where it is not pending.
             * @example null
             */
            next_attempt_at?: string | null;
            /**
             * @description `pending`, `delivered` or `dead`.
             * @example delivered
             */
            status: string;
            /**
             * @description The event's type.
             * @example account.created
             */
            type: string;
            /**
             * @description The header `webhook-id`: the same at each attempt.
             * @example msg_sSJDTd5SFMW8WStTLTzZB5gl
             */
            webhook_id: string;
        };
        /** @description One of a user's devices. */
        DeviceShape: {
            /**
             * Format: date-time
             * @description When it logged in, RFC 3339.
             * @example 2026-01-01T11:00:00.000Z
             */
            created_at: string;
            /**
             * @description Whether it is the one that asks.
             * @example true
             */
            current: boolean;
            /**
             * @description The device's name.
             * @example laptop
             */
            device?: string | null;
            /**
             * Format: int64
             * @description The session's id.
             * @example 1
             */
            id: number;
            /**
             * Format: date-time
             * @description Its last sign of life, RFC 3339; null where the caller may not see when the user was last seen.
             * @example 2026-01-01T12:00:00.000Z
             */
            last_seen?: string | null;
            /**
             * @description Whether it keeps the user online.
             * @example true
             */
            online: boolean;
        };
        /** @description A user's devices. */
        DevicesAnswer: {
            /** @description The newest first. */
            sessions: components["schemas"]["DeviceShape"][];
        };
        /**
         * @description What changes of an account.
         * @example {
         *       "reason": "looks after the others",
         *       "role": "admin"
         *     }
         */
        EditBody: {
            /**
             * @description An e-mail address.
             * @default null
             * @example ann@example.org
             */
            email?: string | null;
            /**
             * Format: double
             * @description The user's own inactivity timeout; null to follow the operator's.
             * @default null
             * @example 120
             */
            inactivity_timeout_seconds?: number | null;
            /**
             * @description Whether the account is active.
             * @default null
             * @example true
             */
            is_active?: boolean | null;
            /**
             * @description A new password: the user's sessions end.
             * @default null
             * @example correct horse battery
             */
            password?: string | null;
            /**
             * @description Why, for the audit log.
             * @default null
             * @example spam
             */
            reason?: string | null;
            /**
             * @description A new role: the user's sessions end.
             * @default null
             * @example user
             * @enum {string|null}
             */
            role?: "user" | "admin" | null;
            /**
             * @description A new status.
             * @default null
             * @example active
             * @enum {string|null}
             */
            status?: "active" | "pending" | "suspended" | "banned" | null;
            /**
             * @description 3 to 64 letters, digits, `_`, `.` or `-`.
             * @default null
             * @example ann
             */
            username?: string | null;
        };
        /**
         * @description What changes of a webhook.
         * @example {
         *       "enabled": false
         *     }
         */
        EditWebhookBody: {
            /**
             * @description What it is for; null for nothing.
             * @default null
             * @example Tells the chat
             */
            description?: string | null;
            /**
             * @description Whether it is sent anything.
             * @default null
             * @example true
             */
            enabled?: boolean | null;
            /**
             * @description Which events.
             * @default null
             * @example [
             *       "presence.*",
             *       "account.created"
             *     ]
             */
            events?: string[] | null;
            /**
             * @description Where events are sent.
             * @default null
             * @example https://example.org/hooks/lastseen
             */
            url?: string | null;
        };
        /** @description All that is held of one user. Password and tokens are kept as hashes only, and not told. */
        ExportAnswer: {
            /** @description What admins did to the account, the newest first. */
            actions: components["schemas"]["ActionShape"][];
            /** @description By name. */
            contacts: components["schemas"]["ContactShape"][];
            /**
             * Format: date-time
             * @description RFC 3339.
             * @example 2026-01-01T12:00:00.000Z
             */
            exported_at: string;
            /** @description The newest first. */
            history: components["schemas"]["IntervalShape"][];
            /** @description The newest first. */
            notifications: components["schemas"]["NotificationShape"][];
            /** @description The newest first. */
            sessions: components["schemas"]["SessionShape"][];
            /** @description One's own profile. */
            user: components["schemas"]["MeShape"];
        };
        /** @description That a process is alive. */
        HealthAnswer: {
            /**
             * @description `ok`.
             * @example ok
             */
            status: string;
        };
        /** @description A heartbeat's answer. */
        HeartbeatAnswer: {
            /**
             * Format: date-time
             * @description This heartbeat's time, RFC 3339.
             * @example 2026-01-01T12:00:00.000Z
             */
            last_seen: string;
            /**
             * @description `online`.
             * @example online
             */
            online_status: string;
            /**
             * Format: date-time
             * @description When the user goes offline unless there is another, RFC 3339.
             * @example 2026-01-01T12:02:00.000Z
             */
            online_until: string;
        };
        /** @description A heartbeat's body, which may be absent. */
        HeartbeatBody: {
            /**
             * Format: double
             * @description For how many seconds nobody has touched this device. Past `away_after_seconds` it is away until it says 0.
             * @default null
             * @example 0
             */
            idle_seconds?: number | null;
            /**
             * @description True where the page is being closed or reloaded: without another heartbeat the user is offline after a short
             *     grace, at most 10 seconds.
             * @default false
             * @example false
             */
            leaving?: boolean;
        };
        /** @description How many users are online at which hour of which weekday. */
        HeatmapAnswer: {
            /** @description Each hour of each weekday. */
            cells: components["schemas"]["CellShape"][];
        };
        /** @description A page of intervals. */
        HistoryAnswer: {
            /** @description The newest first. */
            intervals: components["schemas"]["IntervalShape"][];
            /**
             * @description For the next page; null at the end.
             * @example null
             */
            next_cursor?: string | null;
        };
        /** @description Whose presence. */
        IdsBody: {
            /**
             * @description Up to 1000 users.
             * @example [
             *       2,
             *       3
             *     ]
             */
            ids: number[];
        };
        /** @description An online interval. */
        IntervalShape: {
            /**
             * @description Its device.
             * @example laptop
             */
            device?: string | null;
            /**
             * @description What ended it.
             * @example timeout
             */
            end_reason?: string | null;
            /**
             * Format: date-time
             * @description RFC 3339; null while it lasts.
             * @example 2026-01-01T12:00:00.000Z
             */
            ended_at?: string | null;
            /**
             * Format: int64
             * @description The session that began it.
             * @example 1
             */
            session_id?: number | null;
            /**
             * @description What began it.
             * @example login
             */
            start_reason: string;
            /**
             * Format: date-time
             * @description RFC 3339.
             * @example 2026-01-01T11:00:00.000Z
             */
            started_at: string;
        };
        /** @description A set of keys (RFC 7517 §5). */
        KeysAnswer: {
            /** @description Those whose tokens hold; none where tokens are signed with a secret. */
            keys: components["schemas"]["PublicKey"][];
        };
        /** @description How the last attempt at a delivery ended. */
        LastDeliveryShape: {
            /**
             * Format: date-time
             * @description When, RFC 3339.
             * @example 2026-01-01T12:00:00.000Z
             */
            at: string;
            /**
             * @description Whether the receiver took it.
             * @example true
             */
            ok: boolean;
        };
        /** @description A log-in. */
        LoginAnswer: {
            /**
             * @description The access token: send it as `Authorization: Bearer …`.
             * @example eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyIn0.bm90LWEtc2lnbmF0dXJl
             */
            access: string;
            /**
             * Format: double
             * @description After how long without anybody touching it a device is away.
             * @example 300
             */
            away_after_seconds: number;
            /**
             * Format: double
             * @description How often to send a heartbeat.
             * @example 30
             */
            heartbeat_interval_seconds: number;
            /**
             * Format: double
             * @description After how long a silence the user is offline.
             * @example 120
             */
            inactivity_timeout_seconds: number;
            /**
             * @description The refresh token.
             * @example AAAAAAAAAAE.MGmxrUvOk4aV1eX2bT0hcw.n_mj0uZnnauWFhQjKPpq58T907oCjOi3mdM
             */
            refresh: string;
            /** @description Who has logged in. */
            user: components["schemas"]["MeShape"];
        };
        /** @description A log-in. */
        LoginBody: {
            /**
             * @description The device's name, for the list of devices.
             * @example laptop
             */
            device?: string | null;
            /**
             * @description The password.
             * @example correct horse battery
             */
            password: string;
            /**
             * @description Name or address.
             * @example ann
             */
            username: string;
        };
        /** @description A log-out. */
        LogoutBody: {
            /**
             * @description True to end all of one's sessions.
             * @default false
             * @example true
             */
            everywhere?: boolean;
        };
        /** @description `{user}` with one's own profile. */
        MeAnswer: {
            /** @description The user. */
            user: components["schemas"]["MeShape"];
        };
        /**
         * @description What changes of one's own account.
         * @example {
         *       "availability": "dnd",
         *       "emoji": "☕",
         *       "text": "In a meeting"
         *     }
         */
        MeBody: {
            /**
             * @description `available`, `away`, `dnd` or `invisible`; clears `until`, unless that is named as well.
             * @default null
             * @example dnd
             * @enum {string|null}
             */
            availability?: "available" | "away" | "dnd" | "invisible" | null;
            /**
             * Format: double
             * @description After how long without anybody touching it a device is away, 30 seconds to a day; null to follow the operator's.
             * @default null
             * @example 300
             */
            away_after_seconds?: number | null;
            /**
             * @description An e-mail address.
             * @default null
             * @example ann@example.org
             */
            email?: string | null;
            /**
             * @description One emoji; null clears it.
             * @default null
             * @example ☕
             */
            emoji?: string | null;
            /**
             * Format: double
             * @description One's own inactivity timeout, within the operator's bounds; null to follow the operator's.
             * @default null
             * @example 120
             */
            inactivity_timeout_seconds?: number | null;
            /**
             * @description Who may see when one was last seen; whoever may not see the former does not see this either.
             * @default null
             * @example contacts
             * @enum {string|null}
             */
            last_seen_visibility?: "everyone" | "contacts" | "nobody" | null;
            /**
             * @description Who may see whether one is online, and when one was last seen: `everyone`, `contacts` or `nobody`. One does not see
             *     of others what one does not let them see.
             * @default null
             * @example contacts
             * @enum {string|null}
             */
            online_visibility?: "everyone" | "contacts" | "nobody" | null;
            /**
             * @description One's own words, at most 140 characters; null clears them.
             * @default null
             * @example In a meeting
             */
            text?: string | null;
            /**
             * Format: date-time
             * @description From when on one is just available again, RFC 3339, at most a year ahead; null for no end.
             * @default null
             * @example 2026-01-01T13:00:00.000Z
             */
            until?: string | null;
        };
        /** @description A user as it sees itself. */
        MeShape: components["schemas"]["ProfileShape"] & {
            /**
             * Format: double
             * @description For how long nobody must have touched a device for it to be away; null where it follows the operator's.
             * @example 300
             */
            away_after_seconds?: number | null;
            /**
             * @description What the user has chosen, as long as that holds; `availability` is what it comes to.
             * @example available
             */
            chosen_availability: string;
            /**
             * @description Who may see when it was last seen.
             * @example everyone
             */
            last_seen_visibility: string;
            /**
             * @description Who may see whether the user is online: `everyone`, `contacts` or `nobody`.
             * @example everyone
             */
            online_visibility: string;
            /**
             * Format: date-time
             * @description From when on the choice does not hold any more, RFC 3339; null where it has no end.
             * @example 2026-01-01T13:00:00.000Z
             */
            until?: string | null;
        };
        /** @description A new webhook, with the secret that is told here only. */
        NewWebhookAnswer: components["schemas"]["WebhookShape"] & {
            /**
             * @description What its deliveries are signed with.
             * @example whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
             */
            secret: string;
        };
        /** @description `{notification}`. */
        NotificationAnswer: {
            /** @description The notification. */
            notification: components["schemas"]["NotificationShape"];
        };
        /** @description That a contact has come online. */
        NotificationShape: {
            /**
             * Format: date-time
             * @description When, RFC 3339.
             * @example 2026-01-01T12:00:00.000Z
             */
            at: string;
            /**
             * Format: int64
             * @description Growing.
             * @example 5
             */
            id: number;
            /**
             * @description `online`.
             * @example online
             */
            kind: string;
            /**
             * Format: date-time
             * @description When the caller has read it, RFC 3339; null where it has not.
             * @example null
             */
            read_at?: string | null;
            /**
             * Format: int64
             * @description Who has come online.
             * @example 2
             */
            user_id: number;
            /**
             * @description The name of that.
             * @example ann
             */
            username: string;
        };
        /** @description A page of notifications. */
        NotificationsAnswer: {
            /**
             * @description For the next page; null at the end.
             * @example null
             */
            next_cursor?: string | null;
            /** @description The newest first. */
            notifications: components["schemas"]["NotificationShape"][];
            /**
             * Format: int64
             * @description How many there are in all that have not been read.
             * @example 1
             */
            unread: number;
        };
        /** @description When to be told that a contact comes online. */
        NotifyBody: {
            /**
             * @description `once`, `always` or `never`.
             * @example once
             * @enum {string}
             */
            when: "once" | "always" | "never";
        };
        /** @description How many there are now. */
        NowAnswer: {
            /**
             * @description Users who are online, by availability.
             * @example {
             *       "available": 1,
             *       "away": 0,
             *       "dnd": 0
             *     }
             */
            by_availability: {
                [key: string]: number;
            };
            /**
             * @description Accounts by status; `inactive` are those that were deactivated.
             * @example {
             *       "active": 2,
             *       "banned": 0,
             *       "inactive": 0,
             *       "pending": 0,
             *       "suspended": 1
             *     }
             */
            by_status: {
                [key: string]: number;
            };
            /**
             * Format: int64
             * @description Users whom the caller sees online.
             * @example 1
             */
            online: number;
            /**
             * Format: int64
             * @description Accounts.
             * @example 3
             */
            total: number;
        };
        /** @description How many were online over time. */
        OnlineAnswer: {
            peak?: components["schemas"]["PeakShape"] | null;
            /** @description In their order; a step of which nothing is known has none. */
            points: components["schemas"]["PointShape"][];
        };
        /** @description What a process needs. */
        PartShape: {
            /**
             * @description `database` or `presence`.
             * @example database
             */
            name: string;
            /**
             * @description Whether it answers.
             * @example true
             */
            ok: boolean;
        };
        /** @description A new password. */
        PasswordBody: {
            /**
             * @description The password as it shall be.
             * @example through the looking-glass
             */
            new: string;
            /**
             * @description The password as it is.
             * @example correct horse battery
             */
            old: string;
        };
        /** @description The most users that were online at once. */
        PeakShape: {
            /**
             * Format: date-time
             * @description The step in which they were, RFC 3339.
             * @example 2026-01-01T12:00:00.000Z
             */
            at: string;
            /**
             * Format: int64
             * @description How many.
             * @example 57
             */
            online: number;
        };
        /** @description What there was of one platform. */
        PlatformShape: {
            /**
             * Format: int64
             * @description Log-ins.
             * @example 12
             */
            logins: number;
            /**
             * Format: double
             * @description How many users were online, in the mean.
             * @example 3.5
             */
            mean_online: number;
            /**
             * Format: double
             * @description How long they were in the mean; null where there were none.
             * @example 1500.5
             */
            mean_seconds?: number | null;
            /**
             * Format: double
             * @description Their median, to within one percent.
             * @example 610.25
             */
            median_seconds?: number | null;
            /**
             * Format: int64
             * @description How many there were at most.
             * @example 57
             */
            peak: number;
            /**
             * @description `web`, `ios`, `android`, `windows`, `macos`, `linux` or `other`.
             * @example web
             */
            platform: string;
            /**
             * Format: int64
             * @description How many stretches of being online ended.
             * @example 640
             */
            sessions: number;
        };
        /** @description Where users are online. */
        PlatformsAnswer: {
            /** @description Those of which there was something. */
            platforms: components["schemas"]["PlatformShape"][];
        };
        /** @description A point of a chart. */
        PointShape: {
            /**
             * Format: date-time
             * @description When the step begins, RFC 3339.
             * @example 2026-01-01T12:00:00.000Z
             */
            at: string;
            /**
             * Format: int64
             * @description Log-ins.
             * @example 12
             */
            logins: number;
            /**
             * Format: double
             * @description How many users were online, in the mean.
             * @example 41.25
             */
            online: number;
            /**
             * Format: int64
             * @description How many there were at most.
             * @example 57
             */
            peak: number;
        };
        /** @description A presence. */
        PresenceShape: {
            /**
             * @description How available the user is; see `UserShape`.
             * @example available
             */
            availability: string;
            /**
             * @description An emoji beside it.
             * @example ☕
             */
            emoji?: string | null;
            /**
             * Format: date-time
             * @description The last sign of life, RFC 3339.
             * @example 2026-01-01T12:00:00.000Z
             */
            last_seen?: string | null;
            /**
             * @description `online` or `offline`.
             * @example online
             */
            online_status: string;
            /**
             * Format: date-time
             * @description When the user goes offline unless there is a sign of life before, RFC 3339.
             * @example 2026-01-01T12:02:00.000Z
             */
            online_until?: string | null;
            /**
             * @description Why.
             * @example heartbeat
             */
            reason?: string | null;
            /**
             * @description The user's own words beside it.
             * @example In a meeting
             */
            text?: string | null;
            /**
             * Format: int64
             * @description Whose.
             * @example 2
             */
            user_id: number;
        };
        /** @description Presences. */
        PresencesAnswer: {
            /** @description In the order asked for; users that there are not are left out. */
            presences: components["schemas"]["PresenceShape"][];
        };
        /** @description The body of every error. */
        ProblemBody: {
            /**
             * @description A stable word.
             * @example user_not_found
             */
            code: string;
            /**
             * @description A sentence for a person.
             * @example There is no such user
             */
            detail: string;
            /**
             * @description The field, query parameter or header that is wrong.
             * @example null
             */
            field?: string | null;
            /**
             * Format: int32
             * @description The HTTP status.
             * @example 404
             */
            status: number;
            /**
             * @description The code's title.
             * @example There is no such user
             */
            title: string;
            /**
             * @description The code as a URI.
             * @example urn:lastseen:problem:user_not_found
             */
            type: string;
        };
        /** @description `{user}` with a profile. */
        ProfileAnswer: {
            /** @description The user. */
            user: components["schemas"]["ProfileShape"];
        };
        /** @description A user as an admin sees it after changing it. */
        ProfileShape: components["schemas"]["UserShape"] & {
            /**
             * Format: date-time
             * @description When the account was made, RFC 3339.
             * @example 2026-01-01T11:00:00.000Z
             */
            created_at: string;
            /**
             * Format: double
             * @description The user's own inactivity timeout; null where it follows the operator's.
             * @example 120
             */
            inactivity_timeout_seconds?: number | null;
        };
        /** @description A public key as a JWK (RFC 7517, RFC 8037). */
        PublicKey: {
            /**
             * @description What it signs by.
             * @example EdDSA
             */
            alg: string;
            /**
             * @description The curve.
             * @example Ed25519
             */
            crv: string;
            /**
             * @description Its name in the header of a token.
             * @example Qmjcwmxq
             */
            kid: string;
            /**
             * @description The type: octet key pair.
             * @example OKP
             */
            kty: string;
            /**
             * @description What it is for.
             * @example sig
             */
            use: string;
            /**
             * @description The key: base64url of its 32 bytes.
             * @example 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo
             */
            x: string;
        };
        /** @description Whether a process is ready. */
        ReadyAnswer: {
            /** @description What it needs. */
            parts: components["schemas"]["PartShape"][];
            /**
             * @description `ready` or `not_ready`.
             * @example ready
             */
            status: string;
        };
        /** @description A body that may say why. */
        ReasonBody: {
            /**
             * @description Why, for the audit log: at most 500 characters.
             * @default null
             * @example spam
             */
            reason?: string | null;
        };
        /** @description A refresh token. */
        RefreshBody: {
            /**
             * @description The refresh token.
             * @example AAAAAAAAAAE.MGmxrUvOk4aV1eX2bT0hcw.n_mj0uZnnauWFhQjKPpq58T907oCjOi3mdM
             */
            refresh: string;
        };
        /** @description A new account. */
        RegisterBody: {
            /**
             * @description An e-mail address.
             * @example ann@example.org
             */
            email: string;
            /**
             * @description 8 characters at least, 72 bytes at most.
             * @example correct horse battery
             */
            password: string;
            /**
             * @description 3 to 64 letters, digits, `_`, `.` or `-`.
             * @example ann
             */
            username: string;
        };
        /** @description A new secret. */
        SecretAnswer: {
            /**
             * @description What deliveries are signed with from now on; for a day the earlier secret signs them, too.
             * @example whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
             */
            secret: string;
        };
        /** @description A session, over or not. */
        SessionShape: {
            /**
             * Format: date-time
             * @description RFC 3339.
             * @example 2026-01-01T11:00:00.000Z
             */
            created_at: string;
            /**
             * @description The device's name.
             * @example laptop
             */
            device?: string | null;
            /**
             * @description What ended it.
             * @example timeout
             */
            end_reason?: string | null;
            /**
             * Format: date-time
             * @description RFC 3339; null where it was not ended.
             * @example 2026-01-01T12:00:00.000Z
             */
            ended_at?: string | null;
            /**
             * Format: int64
             * @description The session's id.
             * @example 1
             */
            id: number;
            /**
             * Format: date-time
             * @description RFC 3339.
             * @example 2026-01-01T12:00:00.000Z
             */
            last_seen: string;
            /**
             * @description What kind of device: `web`, `ios`, …
             * @example web
             */
            platform: string;
        };
        /** @description How long users stay online. */
        SessionsAnswer: {
            /**
             * Format: int64
             * @description How many stretches of being online ended in the range.
             * @example 900
             */
            count: number;
            /** @description By length, to within one percent. */
            lengths: components["schemas"]["BandShape"][];
            /**
             * Format: double
             * @description How long they were in the mean; null where there were none.
             * @example 1500.5
             */
            mean_seconds?: number | null;
            /**
             * Format: double
             * @description Their median, to within one percent.
             * @example 610.25
             */
            median_seconds?: number | null;
        };
        /** @description Statuses over time. */
        StatusesAnswer: {
            /** @description In their order; a step of which there is no sample has none. */
            points: components["schemas"]["StatusesShape"][];
        };
        /** @description Means of a step, of samples. */
        StatusesShape: {
            /**
             * Format: date-time
             * @description When the step begins, RFC 3339.
             * @example 2026-01-01T12:00:00.000Z
             */
            at: string;
            /**
             * @description Online users by availability.
             * @example {
             *       "available": 30.5,
             *       "away": 8.25,
             *       "dnd": 2.5
             *     }
             */
            by_availability: {
                [key: string]: number;
            };
            /**
             * @description Accounts by status; `inactive` are those that were deactivated.
             * @example {
             *       "active": 812,
             *       "banned": 1,
             *       "inactive": 4,
             *       "pending": 9,
             *       "suspended": 2
             *     }
             */
            by_status: {
                [key: string]: number;
            };
        };
        /** @description New tokens. */
        TokensAnswer: {
            /**
             * @description The access token.
             * @example eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIyIn0.bm90LWEtc2lnbmF0dXJl
             */
            access: string;
            /**
             * @description The refresh token: the one before is spent.
             * @example AAAAAAAAAAE.MGmxrUvOk4aV1eX2bT0hcw.n_mj0uZnnauWFhQjKPpq58T907oCjOi3mdM
             */
            refresh: string;
        };
        /** @description A change of presence. */
        TransitionShape: {
            /**
             * Format: date-time
             * @description When it happened, RFC 3339.
             * @example 2026-01-01T12:00:00.000Z
             */
            at: string;
            /**
             * @description Its place among the transitions of its shard.
             * @example 1767268800000-0
             */
            id: string;
            /** @description What it is from then on. */
            presence: components["schemas"]["PresenceShape"];
        };
        /** @description `{user}`. */
        UserAnswer: {
            /** @description The user. */
            user: components["schemas"]["UserShape"];
        };
        /** @description A user in a list. */
        UserShape: {
            /**
             * @description How available the user is: `available`, `away` or `dnd`; `invisible` to itself only, unless the operator lets
             *     admins see it.
             * @example available
             */
            availability: string;
            /**
             * @description The user's address: for admins and oneself only.
             * @example ann@example.org
             */
            email?: string | null;
            /**
             * @description An emoji beside it.
             * @example ☕
             */
            emoji?: string | null;
            /**
             * Format: int64
             * @description The user's id.
             * @example 2
             */
            id: number;
            /**
             * @description False where the account was deactivated.
             * @example true
             */
            is_active: boolean;
            /**
             * Format: date-time
             * @description The last sign of life, RFC 3339; null for a user who was never seen, or who does not show it to the caller.
             * @example 2026-01-01T12:00:00.000Z
             */
            last_seen?: string | null;
            /**
             * @description `online` or `offline`.
             * @example online
             */
            online_status: string;
            /**
             * @description Why the user is online or offline.
             * @example heartbeat
             */
            reason?: string | null;
            /**
             * @description What the user may do.
             * @example user
             */
            role: string;
            /**
             * @description The account status.
             * @example active
             */
            status: string;
            /**
             * @description The user's own words beside it.
             * @example In a meeting
             */
            text?: string | null;
            /**
             * @description The user's name.
             * @example ann
             */
            username: string;
        };
        /** @description A page of users. */
        UsersAnswer: {
            /**
             * @description Whether there are more of both: a search is counted to ten thousand users.
             * @example false
             */
            at_least: boolean;
            /**
             * @description For the next page; null at the end.
             * @example null
             */
            next_cursor?: string | null;
            /**
             * Format: int64
             * @description How many of those are online.
             * @example 1
             */
            online: number;
            /**
             * Format: int64
             * @description How many users the filter selects.
             * @example 3
             */
            total: number;
            /** @description The page. */
            users: components["schemas"]["UserShape"][];
        };
        /** @description A webhook. */
        WebhookShape: {
            /**
             * Format: date-time
             * @description RFC 3339.
             * @example 2026-01-01T11:00:00.000Z
             */
            created_at: string;
            /**
             * @description What it is for.
             * @example Tells the chat
             */
            description?: string | null;
            /**
             * @description `gone` where the receiver answered 410, `failing` where no delivery succeeded for three days; null otherwise.
             * @example null
             */
            disabled_reason?: string | null;
            /**
             * @description Whether it is sent anything.
             * @example true
             */
            enabled: boolean;
            /**
             * @description Which events.
             * @example [
             *       "presence.*",
             *       "account.created"
             *     ]
             */
            events: string[];
            /**
             * Format: date-time
             * @description Since when every attempt has failed, RFC 3339; null where the last one succeeded, or there was none.
             * @example null
             */
            failing_since?: string | null;
            /**
             * Format: int64
             * @description The webhook's id.
             * @example 4
             */
            id: number;
            last_delivery?: components["schemas"]["LastDeliveryShape"] | null;
            /**
             * @description Where events are sent.
             * @example https://example.org/hooks/lastseen
             */
            url: string;
        };
        /** @description All webhooks. */
        WebhooksAnswer: {
            /** @description The oldest first. */
            webhooks: components["schemas"]["WebhookShape"][];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
