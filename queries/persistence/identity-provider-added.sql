-- title: An identity provider added or changed
-- answers: Who changed which outside identities may sign in through SAML or OpenID Connect?
-- severity: high
-- outcomes: both
-- mitre: TA0003:T1484.002
-- tags: iam, federation
SELECT eventTime, recipientAccountId, eventName,
       coalesce(element_at(requestParameters, 'name'), element_at(requestParameters, 'sAMLProviderArn'),
                element_at(requestParameters, 'url'), element_at(requestParameters, 'openIDConnectProviderArn')) AS provider,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName IN ('CreateSAMLProvider', 'UpdateSAMLProvider', 'CreateOpenIDConnectProvider',
                    'UpdateOpenIDConnectProviderThumbprint', 'AddClientIDToOpenIDConnectProvider')
ORDER BY eventTime, eventID
