-- title: Versions of objects no longer kept
-- answers: On which buckets was versioning suspended or MFA delete switched off?
-- severity: high
-- outcomes: both
-- mitre: TA0040:T1490
-- tags: s3, backups
SELECT eventTime, recipientAccountId, element_at(requestParameters, 'bucketName') AS bucket,
       json_extract_scalar(element_at(requestParameters, 'VersioningConfiguration'), '$.Status') AS status,
       json_extract_scalar(element_at(requestParameters, 'VersioningConfiguration'), '$.MfaDelete') AS mfa_delete,
       userIdentity.arn AS principal, sourceIPAddress, if(errorCode IS NULL, 'succeeded', 'attempted') AS outcome
FROM $EDS_ID
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'PutBucketVersioning'
  AND (json_extract_scalar(element_at(requestParameters, 'VersioningConfiguration'), '$.Status') = 'Suspended'
       OR json_extract_scalar(element_at(requestParameters, 'VersioningConfiguration'), '$.MfaDelete') = 'Disabled')
ORDER BY eventTime, eventID
