-- title: Who signs in through Identity Center, into what
-- answers: Which people went into which account under which role, how often?
-- severity: informational
-- outcomes: any
-- tags: identity-center, sign-in
SELECT coalesce(userIdentity.userName, userIdentity.onBehalfOf.userId, userIdentity.principalId) AS person,
       element_at(serviceEventDetails, 'account_id') AS account, element_at(serviceEventDetails, 'role_name') AS role,
       eventName, count(*) AS times, count(DISTINCT sourceIPAddress) AS addresses, min(eventTime) AS first, max(eventTime) AS last
FROM $EDS_ID
WHERE eventSource = 'sso.amazonaws.com'
  AND eventName IN ('Authenticate', 'Federate')
GROUP BY 1, 2, 3, 4
ORDER BY times DESC, person, account, role, eventName
